package main

import (
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFlakyFailsAsOftenAsItIsTold(t *testing.T) {
	problem := newRandomProblem(5, 1)
	flaky := Flaky{Failures: 2, From: NearestNeighbour{}}
	// The pauses before the first, second and third retry, in seconds.
	for retried, pause := range []int{0, 1, 2} {
		task, err := tasks.NewWithSignature(func() error { return nil }, &tasks.Signature{RetryTimeout: pause})
		require.NoError(t, err)
		assert.Equal(t, retried, retries(task.Context))

		_, err = flaky.Solve(task.Context, problem)
		if retried < 2 {
			assert.ErrorIs(t, err, errOnPurpose)
			continue
		}
		assert.NoError(t, err)
	}
}

func TestOutsideOfATaskNothingIsARetry(t *testing.T) {
	assert.Zero(t, retries(t.Context()))
}
