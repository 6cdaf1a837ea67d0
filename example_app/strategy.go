package main

import "errors"

// Strategy finds a tour through all cities of a problem. Strategies build on each other: those that improve a tour
// hold the strategy that it comes from, so a whole plan travels as one argument.
type Strategy interface {
	Solve(problem Problem) (Tour, error)
}

// neighbourhood is how many of the nearest cities an improvement tries to link a city to. Good tours
// hardly ever go further than that.
const neighbourhood = 10

var errNothingToImprove = errors.New("the strategy has no other to start from")

// solve asks a strategy, which may be missing in what came over the wire.
func solve(strategy Strategy, problem Problem) (Tour, error) {
	if strategy == nil {
		return Tour{}, errNothingToImprove
	}
	return strategy.Solve(problem)
}
