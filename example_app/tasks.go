package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// The names of the tasks on the wire.
const (
	improveTask  = "tsp.improve"
	shortestTask = "tsp.shortest"
	reportTask   = "tsp.report"
)

// newRegistry names the types that the tasks take and return.
func newRegistry() (*envelope.Registry, error) {
	r := envelope.NewRegistry()
	if err := envelope.RegisterInterface[Strategy](r, "tsp.Strategy"); err != nil {
		return nil, err
	}
	envelope.MustRegister[NearestNeighbour](r, "tsp.NearestNeighbour")
	envelope.MustRegister[TwoOpt](r, "tsp.TwoOpt")
	envelope.MustRegister[OrOpt](r, "tsp.OrOpt")
	envelope.MustRegister[Problem](r, "tsp.Problem")
	envelope.MustRegister[Tour](r, "tsp.Tour")
	envelope.MustRegister[Report](r, "tsp.Report")
	return r, r.Check()
}

// newTasks are the functions that the workers run. Each tour that they find is shown to found as well.
func newTasks(found func(Tour)) map[string]any {
	return map[string]any{
		improveTask: func(_ context.Context, problem Problem, strategy Strategy) (Tour, error) {
			tour, err := solve(strategy, problem)
			if err != nil {
				return Tour{}, err
			}
			found(tour)
			return tour, nil
		},
		shortestTask: shortest,
		reportTask:   report,
	}
}

// shortest keeps the best of the tours.
func shortest(_ context.Context, tours ...Tour) (Tour, error) {
	if len(tours) == 0 {
		return Tour{}, errors.New("there is no tour to choose from")
	}
	return slices.MinFunc(tours, shorter), nil
}

// report says how good a tour is, after a look whether it is one.
func report(_ context.Context, problem Problem, tour Tour) (Report, error) {
	if err := tour.Check(problem); err != nil {
		return Report{}, fmt.Errorf("the best tour is wrong: %w", err)
	}
	return Report{Tour: tour, Optimum: problem.Optimum}, nil
}
