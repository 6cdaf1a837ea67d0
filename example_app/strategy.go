package main

import (
	"context"
	"errors"
)

// Strategy finds a tour through all cities of a problem. Tasks take it as an argument of this interface type: which
// strategy it is, the message says. Strategies build on each other: those that improve a tour hold the strategy that
// it comes from, so a whole plan travels as one argument.
type Strategy interface {
	Solve(ctx context.Context, problem Problem) (Tour, error)
	// Name is what people call the strategy, without those that it builds on.
	Name() string
}

// neighbourhood is how many of the nearest cities an improvement tries to link a city to. Good tours
// hardly ever go further than that.
const neighbourhood = 10

var errNothingToImprove = errors.New("the strategy has no other to start from")

// solve asks a strategy, which may be missing in what came over the wire.
func solve(ctx context.Context, strategy Strategy, problem Problem) (Tour, error) {
	if strategy == nil {
		return Tour{}, errNothingToImprove
	}
	return strategy.Solve(ctx, problem)
}

// newStrategies makes plans of every kind by turns, with their starts spread over the cities. The first of them fails
// once, to show a retry; that it comes first hides the pause that Machinery makes before it.
func newStrategies(count, cities int, seed uint64) []Strategy {
	strategies := make([]Strategy, count)
	for i := range strategies {
		strategies[i] = newStrategy(i, i*cities/count, seed+uint64(i))
	}
	strategies[0] = Flaky{Failures: 1, From: strategies[0]}
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
