package tsp

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
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
	for cities := 1; cities <= 40; cities += 3 {
		for seed := range uint64(3) {
			problem := randomProblem(seed, cities)
			begin := NearestNeighbour{Start: int(seed) % cities}
			before, err := begin.Solve(t.Context(), problem)
			require.NoError(t, err)
			require.NoError(t, before.Check(problem))
			require.Equal(t, begin.Start, before.Order[0])

			for _, strategy := range []Strategy{
				TwoOpt{From: begin}, OrOpt{From: begin}, OrOpt{From: TwoOpt{From: begin}},
				SimulatedAnnealing{Seed: seed, From: begin},
			} {
				after, err := strategy.Solve(t.Context(), problem)
				require.NoError(t, err)
				require.NoError(t, after.Check(problem), "%#v of %d cities", strategy, cities)
				require.LessOrEqual(t, after.Length, before.Length, "%#v of %d cities", strategy, cities)
			}
		}
	}
}

func TestStrategiesTogetherFindTheOptimum(t *testing.T) {
	for cities := 3; cities <= 8; cities++ {
		for seed := range uint64(5) {
			problem := randomProblem(seed, cities)
			assert.Equal(t, shortestLength(problem), bestOf(t, 32, problem).Length, "seed %d, %d cities", seed, cities)
		}
	}
}

func TestStrategiesTogetherSolveBerlin52(t *testing.T) {
	problem, err := Berlin52()
	require.NoError(t, err)
	assert.Len(t, problem.Cities, 52)
	assert.Equal(t, problem.Optimum, bestOf(t, 32, problem).Length)
}

func bestOf(t *testing.T, count int, problem Problem) Tour {
	var found []Tour
	for _, strategy := range NewStrategies(count, len(problem.Cities), 1) {
		tour, err := strategy.Solve(t.Context(), problem)
		require.NoError(t, err)
		found = append(found, tour)
	}
	return slices.MinFunc(found, Tour.Compare)
}

func TestStrategiesAreOfEveryKind(t *testing.T) {
	names := make(map[string]int)
	for _, strategy := range NewStrategies(9, 3, 1) {
		names[strategy.Name()]++
	}
	assert.Equal(t, map[string]int{
		"or-opt": 3, "simulated annealing": 2, "2-opt": 2, "nearest neighbour": 2,
	}, names)
	assert.Len(t, NewStrategies(1, 3, 1), 1)
}

func TestTheSameSeedAnnealsTheSameTour(t *testing.T) {
	problem := NewRandomProblem(30, 1)
	anneal := func(seed uint64) Tour {
		tour, err := SimulatedAnnealing{Seed: seed, From: NearestNeighbour{}}.Solve(t.Context(), problem)
		require.NoError(t, err)
		return tour
	}
	assert.Equal(t, anneal(7), anneal(7))
}

func TestAnnealingLeavesALocalOptimum(t *testing.T) {
	// No single step of the others helps here: see TestStrategiesTogetherSolveBerlin52.
	problem, err := Berlin52()
	require.NoError(t, err)
	downhill, err := OrOpt{From: TwoOpt{From: NearestNeighbour{}}}.Solve(t.Context(), problem)
	require.NoError(t, err)
	annealed, err := SimulatedAnnealing{Seed: 1, From: given(downhill.Order)}.Solve(t.Context(), problem)
	require.NoError(t, err)
	assert.Less(t, annealed.Length, downhill.Length)
}

func TestNearestNeighbourGoesToTheNearest(t *testing.T) {
	problem := Problem{Cities: []City{{0, 0}, {7, 0}, {1, 0}, {3, 0}}}
	tour, err := NearestNeighbour{Start: 2}.Solve(t.Context(), problem)
	require.NoError(t, err)
	assert.Equal(t, Tour{Order: []int{2, 0, 3, 1}, Length: 1 + 3 + 4 + 6}, tour)
}

func TestTwoOptRemovesACrossing(t *testing.T) {
	problem := Problem{Cities: []City{{0, 0}, {10, 10}, {10, 0}, {0, 10}}}
	tour, err := TwoOpt{From: given{0, 1, 2, 3}}.Solve(t.Context(), problem)
	require.NoError(t, err)
	assert.Equal(t, 40, tour.Length)
}

func TestOrOptMovesARun(t *testing.T) {
	// Cities 3 and 4 lie on the way back, but are visited on the way there.
	problem := Problem{Cities: []City{{0, 0}, {50, 0}, {100, 0}, {40, 30}, {60, 30}, {100, 31}, {0, 31}}}
	tour, err := OrOpt{From: given{0, 1, 3, 4, 2, 5, 6}}.Solve(t.Context(), problem)
	require.NoError(t, err)
	assert.Equal(t, shortestLength(problem), tour.Length)
}

// given is a strategy that knows its tour beforehand.
type given []int

func (g given) Name() string { return "given" }

func (g given) Solve(_ context.Context, problem Problem) (Tour, error) {
	return Tour{Order: g, Length: problem.Length(g)}, nil
}

func TestImprovingLeavesTheTourOfTheOtherStrategyAlone(t *testing.T) {
	problem := randomProblem(1, 20)
	from := make(given, 20)
	for city := range from {
		from[city] = city
	}
	before := append(given(nil), from...)
	_, err := OrOpt{From: TwoOpt{From: from}}.Solve(t.Context(), problem)
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
		"start too far":      {TwoOpt{From: NearestNeighbour{Start: 5}}, "there is no city 5 of 5"},
		"nothing to anneal":  {SimulatedAnnealing{}, "the strategy has no other to start from"},
		"negative start":     {OrOpt{From: NearestNeighbour{Start: -1}}, "there is no city -1 of 5"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := test.strategy.Solve(t.Context(), problem)
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
				_, err := SimulatedAnnealing{From: NearestNeighbour{}}.Solve(b.Context(), problem)
				require.NoError(b, err)
			}
		})
	}
}

func TestReversingThePartOrTheRestComesToTheSame(t *testing.T) {
	problem := NewRandomProblem(9, 1)
	for first := range 9 {
		for last := first; last < 9; last++ {
			r := newRoute(problem, Tour{Order: []int{0, 1, 2, 3, 4, 5, 6, 7, 8}})
			want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8}
			slices.Reverse(want[first : last+1])

			r.reverse(first, last)
			assert.Equal(t, problem.Length(want), problem.Length(r.order), "%d to %d", first, last)
			for i, city := range r.order {
				assert.Equal(t, i, r.position[city])
			}
		}
	}
}

func TestRandomProblemsAreTheSameForTheSameSeed(t *testing.T) {
	assert.Equal(t, NewRandomProblem(10, 3), NewRandomProblem(10, 3))
	assert.NotEqual(t, NewRandomProblem(10, 3).Cities, NewRandomProblem(10, 4).Cities)
	assert.Equal(t, "random (seed 3)", NewRandomProblem(10, 3).Name)
}
