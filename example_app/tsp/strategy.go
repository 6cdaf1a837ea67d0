package tsp

import (
	"context"
	"errors"
)

// Strategy finds a tour through all cities of a problem. Strategies build on each other: one that improves a tour holds
// the strategy that the tour comes from, so that a whole plan is one value.
type Strategy interface {
	// Solve returns NoSuchCity for a start that the problem does not have, and ErrNothingToImprove where a strategy
	// that it builds on is nil.
	Solve(ctx context.Context, problem Problem) (Tour, error)
	// Name is what people call the strategy, without those that it builds on.
	Name() string
}

// neighbourhood is how many of the nearest cities an improvement tries to connect a city with. Good
// tours hardly ever go further than that.
const neighbourhood = 10

// ErrNothingToImprove is the error of a nil Strategy.
var ErrNothingToImprove = errors.New("the strategy has no other to start from")

// Solve asks a strategy, which is nil where a message has none: the error is then ErrNothingToImprove.
func Solve(ctx context.Context, strategy Strategy, problem Problem) (Tour, error) {
	if strategy == nil {
		return Tour{}, ErrNothingToImprove
	}
	return strategy.Solve(ctx, problem)
}

// NewStrategies returns count plans, of every kind by turns, which start at different cities. The same seed gives the
// same plans.
func NewStrategies(count, cities int, seed uint64) []Strategy {
	strategies := make([]Strategy, count)
	for i := range strategies {
		strategies[i] = newStrategy(i, i*cities/count, seed+uint64(i))
	}
	return strategies
}

func newStrategy(turn, start int, seed uint64) Strategy {
	begin := NearestNeighbour{Start: start}
	switch turn % 4 {
	case 0:
		return OrOpt{From: TwoOpt{From: begin}}
	case 1:
		return SimulatedAnnealing{Seed: seed, From: begin}
	case 2:
		return TwoOpt{From: begin}
	default:
		return begin
	}
}
