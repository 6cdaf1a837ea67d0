package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestShortened(t *testing.T) {
	assert.Equal(t, "short", shortened("short"))

	long := strings.Repeat("é", longestArgument)
	assert.Equal(t, long, shortened(long))
	assert.Equal(t, long+"… (202 bytes)", shortened(long+"é"))
}

func TestListed(t *testing.T) {
	nodes := make([]int, longestList+1)
	row := strings.TrimSpace(strings.Repeat("0 ", nodesInRow))
	assert.Equal(t, row, listed(nodes[:nodesInRow]))
	assert.Equal(t, row+"\n          0", listed(nodes[:nodesInRow+1]))
	assert.Equal(t, strings.Repeat(row+"\n          ", 3)+"… and 1 more", listed(nodes))
}

func TestProgress(t *testing.T) {
	var out strings.Builder
	p := &progress{out: &out, total: 8}
	for _, length := range []int{30, 30, 20, 25, 25, 25} {
		p.add(Tour{Length: length})
	}
	p.end()
	p.add(Tour{Length: 10})

	assert.Equal(t, `           1 of 8 tours, the best 30 long
           2 of 8 tours, the best 30 long
           3 of 8 tours, the best 20 long
           4 of 8 tours, the best 20 long
           6 of 8 tours, the best 20 long
`, out.String())
}

func TestNodesBeginWithTheFirst(t *testing.T) {
	tour := Tour{Order: []int{2, 3, 0, 1}}
	assert.Equal(t, []int{1, 2, 3, 4}, tour.Nodes())
	assert.Equal(t, []int{2, 3, 0, 1}, tour.Order)
}

func TestHarmlessLinesAreDropped(t *testing.T) {
	var out strings.Builder
	log := troubleWriter{&out}
	for _, line := range []string{
		"machinery: Stop channel\n",
		"machinery: Failed processing task 1\n",
		"machinery: Failed to get tasks states for group:[group_1]. Error:[Already consumed: <nil>]\n",
	} {
		written, err := log.Write([]byte(line))
		assert.NoError(t, err)
		assert.Len(t, line, written)
	}
	assert.Equal(t, "machinery: Failed processing task 1\n", out.String())
}
