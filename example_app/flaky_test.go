package main

import (
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/example_app/tsp"
)

func TestFlakyFailsAsOftenAsItIsTold(t *testing.T) {
	problem := tsp.NewRandomProblem(5, 1)
	flaky := Flaky{Failures: 2, From: tsp.NearestNeighbour{}}
	// The pauses before the first, second and third retry, in seconds.
	for retried, pause := range []int{0, 1, 2} {
		task, err := tasks.NewWithSignature(func() error { return nil }, &tasks.Signature{RetryTimeout: pause})
		require.NoError(t, err)
		assert.Equal(t, retried, retries(task.Context))

		tour, err := flaky.Solve(task.Context, problem)
		if retried < 2 {
			assert.ErrorIs(t, err, errOnPurpose)
			continue
		}
		require.NoError(t, err)
		assert.NoError(t, tour.Check(problem))
	}
}

func TestOutsideOfATaskNothingIsARetry(t *testing.T) {
	assert.Zero(t, retries(t.Context()))
}

func TestFlakyNeedsAnotherStrategy(t *testing.T) {
	_, err := Flaky{}.Solve(t.Context(), tsp.NewRandomProblem(5, 1))
	assert.ErrorIs(t, err, tsp.ErrNothingToImprove)
}

func TestOnlyTheFirstStrategyIsFlaky(t *testing.T) {
	strategies := newStrategies(9, 3, 1)
	assert.Equal(t, Flaky{Failures: 1, From: tsp.NewStrategies(9, 3, 1)[0]}, strategies[0])
	assert.Equal(t, tsp.NewStrategies(9, 3, 1)[1:], strategies[1:])
}
