package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestShortest(t *testing.T) {
	long := Tour{Order: []int{0, 1, 2}, Length: 30}
	short := Tour{Order: []int{1, 0, 2}, Length: 20}
	alsoShort := Tour{Order: []int{0, 2, 1}, Length: 20}

	for _, tours := range [][]Tour{{long, short, alsoShort}, {alsoShort, long, short}} {
		best, err := shortest(t.Context(), tours...)
		require.NoError(t, err)
		assert.Equal(t, alsoShort, best)
	}

	_, err := shortest(t.Context())
	assert.EqualError(t, err, "there is no tour to choose from")
}

func TestReport(t *testing.T) {
	problem := Problem{Cities: []City{{0, 0}, {30, 0}, {0, 40}}}
	tour := Tour{Order: []int{0, 1, 2}, Length: 120}

	got, err := report(t.Context(), problem, tour)
	require.NoError(t, err)
	assert.Equal(t, "the optimum is not known", got.Verdict())

	problem.Optimum = 100
	got, err = report(t.Context(), problem, tour)
	require.NoError(t, err)
	assert.Equal(t, "20.00 % over the proven optimum of 100", got.Verdict())

	_, err = report(t.Context(), problem, Tour{})
	assert.EqualError(t, err, "the best tour is wrong: tour visits 0 cities of 3")
}
