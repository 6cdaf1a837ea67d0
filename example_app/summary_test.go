package main

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/example_app/tsp"
)

func TestSummary(t *testing.T) {
	long := tsp.Tour{Order: []int{0, 1, 2}, Length: 30}
	short := tsp.Tour{Order: []int{1, 0, 2}, Length: 20}
	alsoShort := tsp.Tour{Order: []int{0, 2, 1}, Length: 20}
	all := []Found{
		{Tour: long, Strategy: "one", Worker: "a", Retries: 1, Took: time.Second},
		{Tour: short, Strategy: "two", Worker: "b", Took: time.Second},
		{Tour: alsoShort, Strategy: "one", Worker: "a", Retries: 2, Took: time.Second},
	}
	want := Summary{
		Best: alsoShort,
		Scores: []Score{
			{Strategy: "two", Tasks: 1, Best: 20, Lengths: 20, Took: time.Second},
			{Strategy: "one", Tasks: 2, Retries: 3, Best: 20, Lengths: 50, Took: 2 * time.Second},
		},
		Workers: map[string]int{"a": 2, "b": 1},
	}

	summary, err := summarize(t.Context(), all...)
	require.NoError(t, err)
	assert.Equal(t, want, summary)
	assert.Equal(t, Score{Tasks: 3, Retries: 3, Best: 20, Lengths: 70, Took: 3 * time.Second}, summary.total())

	slices.Reverse(all)
	reversed, err := summarize(t.Context(), all...)
	require.NoError(t, err)
	assert.Equal(t, want, reversed, "the order of the results makes no difference")
}

func TestSummaryOfNothing(t *testing.T) {
	_, err := summarize(t.Context())
	assert.EqualError(t, err, "there is no tour to choose from")
}
