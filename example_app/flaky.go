package main

import (
	"context"
	"errors"

	"github.com/RichardKnop/machinery/v2/retry"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/example_app/tsp"
)

// Flaky fails on purpose, as often as it is told, before it does what another strategy does: its task is retried with
// the arguments as they were sent.
type Flaky struct {
	Failures int          `json:"failures"`
	From     tsp.Strategy `json:"from"`
}

var errOnPurpose = errors.New("failed on purpose, to be retried")

// Name implements tsp.Strategy.
func (s Flaky) Name() string { return "flaky or-opt" }

// Solve implements tsp.Strategy.
func (s Flaky) Solve(ctx context.Context, problem tsp.Problem) (tsp.Tour, error) {
	if retries(ctx) < s.Failures {
		return tsp.Tour{}, errOnPurpose
	}
	return tsp.Solve(ctx, s.From, problem)
}

// newStrategies makes the plans of a run. The first of them fails once, to show a retry; that it comes first hides the
// pause that Machinery makes before the retry.
func newStrategies(count, cities int, seed uint64) []tsp.Strategy {
	strategies := tsp.NewStrategies(count, cities, seed)
	strategies[0] = Flaky{Failures: 1, From: strategies[0]}
	return strategies
}

// retries counts how often the task that runs has been retried. Machinery does not, but it makes the pause before each
// retry longer than the one before, in steps that can be counted.
func retries(ctx context.Context) int {
	signature := tasks.SignatureFromContext(ctx)
	if signature == nil {
		return 0
	}
	count := 0
	for pause := 0; pause < signature.RetryTimeout; pause = retry.FibonacciNext(pause) {
		count++
	}
	return count
}
