package tsp

import (
	"context"
	"slices"
)

// route is a tour under improvement.
type route struct {
	problem    Problem
	neighbours [][]int
	order      []int
	position   []int // of each city in order
}

func newRoute(problem Problem, tour Tour) *route {
	r := &route{
		problem:    problem,
		neighbours: problem.Neighbours(neighbourhood),
		position:   make([]int, len(problem.Cities)),
	}
	r.follow(slices.Clone(tour.Order))
	return r
}

// shorten takes the tour of another strategy and repeats a step, which tries to shorten the route around one city,
// until it helps at no city any more.
func shorten(ctx context.Context, from Strategy, problem Problem, step func(*route, int) bool) (Tour, error) {
	tour, err := Solve(ctx, from, problem)
	if err != nil {
		return Tour{}, err
	}
	r := newRoute(problem, tour)
	for r.improve(step) {
	}
	return Tour{Order: r.order, Length: problem.Length(r.order)}, nil
}

func (r *route) improve(step func(*route, int) bool) bool {
	improved := false
	for city := range r.position {
		for step(r, city) {
			improved = true
		}
	}
	return improved
}

// follow makes the route go along another order.
func (r *route) follow(order []int) {
	r.order = order
	for i, city := range order {
		r.position[city] = i
	}
}

// reverse turns round the part between two positions, both included, or else the rest of the round trip, which comes
// to the same: whichever is shorter.
func (r *route) reverse(first, last int) {
	all := len(r.order)
	count := last - first + 1
	if 2*count > all {
		first, last, count = last+1, first-1, all-count
	}
	for ; count > 1; count -= 2 {
		first, last = (first+all)%all, (last+all)%all
		a, b := r.order[first], r.order[last]
		r.order[first], r.order[last] = b, a
		r.position[b], r.position[a] = first, last
		first++
		last--
	}
}

// after is the city some steps further along the round trip; a negative number looks back.
func (r *route) after(city, steps int) int {
	count := len(r.order)
	return r.order[(r.position[city]+steps+count)%count]
}
