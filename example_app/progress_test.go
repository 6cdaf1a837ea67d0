package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/example_app/tsp"
)

func tourOf(length int) Found { return Found{Tour: tsp.Tour{Length: length}} }

func TestProgressInALogIsSparse(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, 8)
	for _, length := range []int{30, 30, 20, 25, 25, 25} {
		p.add(tourOf(length))
	}
	p.end()
	p.add(tourOf(10))

	assert.Equal(t, `     1 of 8 tours, the best 30 long
     2 of 8 tours, the best 30 long
     3 of 8 tours, the best 20 long
     4 of 8 tours, the best 20 long
     6 of 8 tours, the best 20 long
`, out.String())
}

func TestProgressOnATerminalIsOneLine(t *testing.T) {
	var out strings.Builder
	p := &progress{shown: bar{&out}, total: 3}
	for _, length := range []int{30, 20, 25, 10} {
		p.add(tourOf(length))
	}
	p.end()

	text := out.String()
	assert.Equal(t, 3, strings.Count(text, "\r"), "a task that is delivered twice is not counted")
	assert.Equal(t, 1, strings.Count(text, "\n"))
	assert.True(t, strings.HasSuffix(text, "\r  "+strings.Repeat("█", barWidth)+"  3 of 3 tours, the best 20 long \x1b[K\n"), text)
	assert.Contains(t, text, strings.Repeat("█", 10)+strings.Repeat("░", 20)+"  1 of 3")
}

func TestAFileIsNoTerminal(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer file.Close()
	assert.False(t, isTerminal(file))
	assert.False(t, isTerminal(&strings.Builder{}))
}
