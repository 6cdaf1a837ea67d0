package tsp

import (
	"context"
	"fmt"
)

// NearestNeighbour begins at a city and always goes on to the nearest one that is left.
type NearestNeighbour struct {
	Start int `json:"start"`
}

// Name implements Strategy.
func (s NearestNeighbour) Name() string { return "nearest neighbour" }

// Solve implements Strategy.
func (s NearestNeighbour) Solve(_ context.Context, problem Problem) (Tour, error) {
	if s.Start < 0 || s.Start >= len(problem.Cities) {
		return Tour{}, NoSuchCity{City: s.Start, Cities: len(problem.Cities)}
	}

	order := make([]int, len(problem.Cities))
	for city := range order {
		order[city] = city
	}
	order[0], order[s.Start] = order[s.Start], order[0]
	for i := 1; i < len(order); i++ {
		nearest := i
		for j := i + 1; j < len(order); j++ {
			if problem.Distance(order[i-1], order[j]) < problem.Distance(order[i-1], order[nearest]) {
				nearest = j
			}
		}
		order[i], order[nearest] = order[nearest], order[i]
	}
	return Tour{Order: order, Length: problem.Length(order)}, nil
}

// NoSuchCity is the error of asking for a city that the problem does not have. It is registered, so it
// keeps its type on the way to who awaits the result.
type NoSuchCity struct {
	City   int `json:"city"`
	Cities int `json:"cities"`
}

// Error implements error.
func (e NoSuchCity) Error() string { return fmt.Sprintf("there is no city %d of %d", e.City, e.Cities) }
