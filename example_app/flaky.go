package main

import (
	"context"
	"errors"

	"github.com/RichardKnop/machinery/v2/retry"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// Flaky fails on purpose, as often as it is told, before it does what another strategy does: its task is retried with
// the arguments as they were sent.
type Flaky struct {
	Failures int      `json:"failures"`
	From     Strategy `json:"from"`
}

var errOnPurpose = errors.New("failed on purpose, to be retried")

// Name implements Strategy.
func (s Flaky) Name() string { return "flaky or-opt" }

// Solve implements Strategy.
func (s Flaky) Solve(ctx context.Context, problem Problem) (Tour, error) {
	if retries(ctx) < s.Failures {
		return Tour{}, errOnPurpose
	}
	return solve(ctx, s.From, problem)
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
