package tsp

import (
	"fmt"
	"math/rand/v2"
)

// NewRandomProblem places cities at random in a square. The same seed gives the same problem.
func NewRandomProblem(cities int, seed uint64) Problem {
	const side = 10_000
	random := rand.New(rand.NewPCG(seed, 0))
	problem := Problem{Name: fmt.Sprintf("random (seed %d)", seed), Cities: make([]City, cities)}
	for i := range problem.Cities {
		problem.Cities[i] = City{X: float64(random.IntN(side)), Y: float64(random.IntN(side))}
	}
	return problem
}
