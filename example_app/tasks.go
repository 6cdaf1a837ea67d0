package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/machinery-envelope/machinery-envelope/example_app/tsp"
)

// The names of the tasks on the wire.
const (
	improveTask   = "tsp.improve"
	summarizeTask = "tsp.summarize"
	reportTask    = "tsp.report"
	lengthTask    = "tsp.length"
)

// newTasks are the functions that a worker runs. What it finds is shown to found as well.
func newTasks(worker string, found func(Found)) map[string]any {
	return map[string]any{
		improveTask: func(ctx context.Context, problem tsp.Problem, strategy tsp.Strategy) (Found, error) {
			result, err := improve(ctx, problem, strategy)
			if err != nil {
				return Found{}, err
			}
			result.Worker = worker
			found(result)
			return result, nil
		},
		summarizeTask: summarize,
		reportTask:    report,
		lengthTask:    length,
	}
}

// improve finds a tour by the strategy.
func improve(ctx context.Context, problem tsp.Problem, strategy tsp.Strategy) (Found, error) {
	began := time.Now()
	tour, err := tsp.Solve(ctx, strategy, problem)
	if err != nil {
		return Found{}, err
	}
	return Found{Tour: tour, Strategy: strategy.Name(), Retries: retries(ctx), Took: time.Since(began)}, nil
}

// summarize keeps the best of the tours, and counts all.
func summarize(_ context.Context, found ...Found) (Summary, error) {
	if len(found) == 0 {
		return Summary{}, errors.New("there is no tour to choose from")
	}
	return newSummary(found), nil
}

// report says how good the best tour is, after a look whether it is one.
func report(_ context.Context, problem tsp.Problem, summary Summary) (Report, error) {
	if err := summary.Best.Check(problem); err != nil {
		return Report{}, fmt.Errorf("the best tour is wrong: %w", err)
	}
	return Report{Summary: summary, Verdict: problem.Verdict(summary.Best)}, nil
}

// length measures the round trip in the given order. The workflow does without it: it is for senders in other
// languages, with a list and a number that Machinery carries by itself.
func length(_ context.Context, problem tsp.Problem, order []int64) (int64, error) {
	cities := make([]int, len(order))
	for i, city := range order {
		if city < 0 || city >= int64(len(problem.Cities)) {
			return 0, tsp.NoSuchCity{City: int(city), Cities: len(problem.Cities)}
		}
		cities[i] = int(city)
	}
	return int64(problem.Length(cities)), nil
}
