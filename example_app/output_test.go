package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestListed(t *testing.T) {
	nodes := make([]int, maxNodes+1)
	row := strings.TrimSpace(strings.Repeat("0 ", nodesInRow))
	assert.Equal(t, row, listed(nodes[:nodesInRow]))
	assert.Equal(t, row+"\n          0", listed(nodes[:nodesInRow+1]))
	assert.Equal(t, strings.Repeat(row+"\n          ", 3)+"… and 1 more", listed(nodes))
}

func TestShares(t *testing.T) {
	assert.Equal(t, "a ran 2, b ran 11", shares(map[string]int{"b": 11, "a": 2}))
}

func TestHarmlessLinesAreDropped(t *testing.T) {
	var out strings.Builder
	log := troubleWriter{&out}
	for _, line := range []string{
		"machinery: Stop channel\n",
		"machinery: Task task_1 failed. Going to retry in 1 seconds.\n",
		"machinery: Failed processing task 1\n",
		"machinery: Failed to get tasks states for group:[group_1]. Error:[Already consumed: <nil>]\n",
	} {
		written, err := log.Write([]byte(line))
		assert.NoError(t, err)
		assert.Len(t, line, written)
	}
	assert.Equal(t, "machinery: Failed processing task 1\n", out.String())
}
