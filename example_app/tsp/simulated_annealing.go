package tsp

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

// SimulatedAnnealing also takes steps that make the tour longer, fewer and fewer as it cools down, and so finds its way
// out of tours that no single step would improve. The same seed gives the same tour.
type SimulatedAnnealing struct {
	Seed uint64   `json:"seed"`
	From Strategy `json:"from"`
}

const (
	// A task tries so many steps for each city, but no more than maxSteps: its time has a bound.
	stepsPerCity = 3_000
	maxSteps     = 6_000_000
	// The temperatures at the beginning and at the end, as parts of the mean length of a leg.
	warm = 0.4
	cold = 0.005
)

// Name implements Strategy.
func (s SimulatedAnnealing) Name() string { return "simulated annealing" }

// Solve implements Strategy.
func (s SimulatedAnnealing) Solve(ctx context.Context, problem Problem) (Tour, error) {
	tour, err := Solve(ctx, s.From, problem)
	if err != nil || len(tour.Order) < MinCities {
		return tour, err
	}

	r := newRoute(problem, tour)
	random := rand.New(rand.NewPCG(s.Seed, 0))
	best, shortest, length := slices.Clone(r.order), tour.Length, tour.Length
	steps := min(stepsPerCity*len(r.order), maxSteps)
	temperature, cooling := warm*tour.meanLeg(), math.Pow(cold/warm, 1/float64(steps))
	for range steps {
		temperature *= cooling
		move := r.randomExchange(random)
		if move.added > 0 && math.Exp(-float64(move.added)/temperature) < random.Float64() {
			continue
		}
		r.exchange(move.city, move.near, move.direction)
		length += move.added
		if length < shortest {
			shortest = length
			copy(best, r.order)
		}
	}

	// Cold now, it takes what steps are left that make the tour shorter.
	r.follow(best)
	for r.improve(func(r *route, city int) bool { return r.uncross(city) || r.relocate(city) }) {
	}
	return Tour{Order: r.order, Length: problem.Length(r.order)}, nil
}

// exchange is a step that replaces two legs, and by how much it makes the tour longer.
type exchange struct {
	city, near, direction int
	added                 int
}

func (r *route) randomExchange(random *rand.Rand) exchange {
	city := random.IntN(len(r.order))
	near := r.neighbours[city][random.IntN(len(r.neighbours[city]))]
	direction := 1 - 2*random.IntN(2)
	old, other := r.after(city, direction), r.after(near, direction)
	added := r.problem.Distance(city, near) + r.problem.Distance(old, other) -
		r.problem.Distance(city, old) - r.problem.Distance(near, other)
	return exchange{city, near, direction, added}
}
