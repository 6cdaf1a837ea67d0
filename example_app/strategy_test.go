package main

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// randomProblem has its cities on a coarse grid, so that some share a place and many distances are equal.
func randomProblem(seed uint64, cities int) Problem {
	random := rand.New(rand.NewPCG(seed, 0))
	problem := Problem{Name: "random", Cities: make([]City, cities)}
	for i := range problem.Cities {
		problem.Cities[i] = City{X: float64(random.IntN(50)), Y: float64(random.IntN(50))}
	}
	return problem
}

// shortestLength tries every order of the cities.
func shortestLength(problem Problem) int {
	order := make([]int, len(problem.Cities))
	for city := range order {
		order[city] = city
	}
	best := problem.Length(order)
	var permute func(fixed int)
	permute = func(fixed int) {
		if fixed == len(order) {
			best = min(best, problem.Length(order))
			return
		}
		for i := fixed; i < len(order); i++ {
			order[fixed], order[i] = order[i], order[fixed]
			permute(fixed + 1)
			order[fixed], order[i] = order[i], order[fixed]
		}
	}
	permute(1)
	return best
}

func TestStrategiesNeverLengthenATour(t *testing.T) {
	for cities := 1; cities <= 40; cities++ {
		for seed := range uint64(10) {
			problem := randomProblem(seed, cities)
			begin := NearestNeighbour{Start: int(seed) % cities}
			before, err := begin.Solve(problem)
			require.NoError(t, err)
			require.NoError(t, before.Check(problem))
			require.Equal(t, begin.Start, before.Order[0])

			for _, strategy := range []Strategy{TwoOpt{From: begin}, OrOpt{From: begin}, newStrategy(begin.Start)} {
				after, err := strategy.Solve(problem)
				require.NoError(t, err)
				require.NoError(t, after.Check(problem), "%#v of %d cities", strategy, cities)
				require.LessOrEqual(t, after.Length, before.Length, "%#v of %d cities", strategy, cities)
			}
		}
	}
}

func TestBestOfAllStartsIsTheOptimum(t *testing.T) {
	for cities := 3; cities <= 8; cities++ {
		for seed := range uint64(5) {
			problem := randomProblem(seed, cities)
			best := bestOfAllStarts(t, problem)
			assert.Equal(t, shortestLength(problem), best.Length, "seed %d, %d cities", seed, cities)
		}
	}
}

func TestBerlin52(t *testing.T) {
	problem, err := berlin52()
	require.NoError(t, err)
	assert.Len(t, problem.Cities, 52)
	assert.Equal(t, berlin52Optimum, bestOfAllStarts(t, problem).Length)
}

func bestOfAllStarts(t *testing.T, problem Problem) Tour {
	tours := make([]Tour, len(problem.Cities))
	for start := range tours {
		tour, err := newStrategy(start).Solve(problem)
		require.NoError(t, err)
		tours[start] = tour
	}
	best, err := shortest(t.Context(), tours...)
	require.NoError(t, err)
	return best
}

func TestNearestNeighbourGoesToTheNearest(t *testing.T) {
	problem := Problem{Cities: []City{{0, 0}, {7, 0}, {1, 0}, {3, 0}}}
	tour, err := NearestNeighbour{Start: 2}.Solve(problem)
	require.NoError(t, err)
	assert.Equal(t, Tour{Order: []int{2, 0, 3, 1}, Length: 1 + 3 + 4 + 6}, tour)
}

func TestTwoOptRemovesACrossing(t *testing.T) {
	problem := Problem{Cities: []City{{0, 0}, {10, 10}, {10, 0}, {0, 10}}}
	tour, err := TwoOpt{From: given{0, 1, 2, 3}}.Solve(problem)
	require.NoError(t, err)
	assert.Equal(t, 40, tour.Length)
}

func TestOrOptMovesARun(t *testing.T) {
	// Cities 3 and 4 lie on the way back, but are visited on the way there.
	problem := Problem{Cities: []City{{0, 0}, {50, 0}, {100, 0}, {40, 30}, {60, 30}, {100, 31}, {0, 31}}}
	tour, err := OrOpt{From: given{0, 1, 3, 4, 2, 5, 6}}.Solve(problem)
	require.NoError(t, err)
	assert.Equal(t, shortestLength(problem), tour.Length)
}

// given is a strategy that knows its tour beforehand.
type given []int

func (g given) Solve(problem Problem) (Tour, error) {
	return Tour{Order: g, Length: problem.Length(g)}, nil
}

func TestImprovingLeavesTheTourOfTheOtherStrategyAlone(t *testing.T) {
	problem := randomProblem(1, 20)
	from := make(given, 20)
	for city := range from {
		from[city] = city
	}
	before := append(given(nil), from...)
	_, err := OrOpt{From: TwoOpt{From: from}}.Solve(problem)
	require.NoError(t, err)
	assert.Equal(t, before, from)
}

func TestStrategiesRefuse(t *testing.T) {
	problem := randomProblem(1, 5)
	tests := map[string]struct {
		strategy Strategy
		want     string
	}{
		"nothing to improve": {OrOpt{From: TwoOpt{}}, "the strategy has no other to start from"},
		"start too far":      {TwoOpt{From: NearestNeighbour{Start: 5}}, "cannot start at city 5 of 5"},
		"negative start":     {OrOpt{From: NearestNeighbour{Start: -1}}, "cannot start at city -1 of 5"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := test.strategy.Solve(problem)
			assert.EqualError(t, err, test.want)
		})
	}
}

func TestNeighboursAreTheNearest(t *testing.T) {
	problem := Problem{Cities: []City{{0, 0}, {5, 0}, {1, 0}, {3, 0}}}
	assert.Equal(t, [][]int{{2, 3}, {3, 2}, {0, 3}, {1, 2}}, problem.Neighbours(2))
	assert.Equal(t, [][]int{{2, 3, 1}, {3, 2, 0}, {0, 3, 1}, {1, 2, 0}}, problem.Neighbours(10))
}

func TestDistanceIsRoundedToTheNearest(t *testing.T) {
	problem := Problem{Cities: []City{{0, 0}, {1, 1}, {1, 2}, {0.5, 0}}}
	assert.Equal(t, 1, problem.Distance(0, 1)) // 1.41
	assert.Equal(t, 2, problem.Distance(0, 2)) // 2.24
	assert.Equal(t, 1, problem.Distance(0, 3)) // 0.5
	assert.Equal(t, 0, problem.Distance(2, 2))
}

func BenchmarkStrategy(b *testing.B) {
	for _, cities := range []int{52, 1000} {
		problem := randomProblem(1, cities)
		b.Run(fmt.Sprint(cities), func(b *testing.B) {
			for b.Loop() {
				_, err := newStrategy(0).Solve(problem)
				require.NoError(b, err)
			}
		})
	}
}
