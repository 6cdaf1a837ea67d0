package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/example_app/tsp"
)

func TestReport(t *testing.T) {
	problem := tsp.Problem{Cities: []tsp.City{{}, {X: 30}, {Y: 40}}}
	summary := Summary{Best: tsp.Tour{Order: []int{0, 1, 2}, Length: 120}}
	verdicts := map[int]string{
		0:   "the optimum is not known",
		100: "20.00 % over the proven optimum of 100",
		120: "the proven optimum",
		130: "below the optimum of 130: this cannot be TSPLIB's problem of that name",
	}
	for optimum, want := range verdicts {
		problem.Optimum = optimum
		got, err := report(t.Context(), problem, summary)
		require.NoError(t, err)
		assert.Equal(t, Report{Summary: summary, Verdict: want}, got)
	}

	_, err := report(t.Context(), problem, Summary{})
	assert.EqualError(t, err, "the best tour is wrong: tour visits 0 cities of 3")
}

func TestWorkersShowWhatTheyFind(t *testing.T) {
	var shown []Found
	tasks := newTasks("worker", func(found Found) { shown = append(shown, found) })
	improve := tasks[improveTask].(func(ctx context.Context, problem tsp.Problem, strategy tsp.Strategy) (Found, error))

	found, err := improve(t.Context(), tsp.NewRandomProblem(5, 1), tsp.NearestNeighbour{})
	require.NoError(t, err)
	assert.Equal(t, "nearest neighbour", found.Strategy)
	assert.Equal(t, "worker", found.Worker)
	assert.Equal(t, []Found{found}, shown)

	_, err = improve(t.Context(), tsp.NewRandomProblem(5, 1), nil)
	assert.ErrorIs(t, err, tsp.ErrNothingToImprove)
	assert.Len(t, shown, 1)
}
