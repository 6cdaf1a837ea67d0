package main

import "slices"

// route is a tour under improvement.
type route struct {
	problem    Problem
	neighbours [][]int
	order      []int
	position   []int // of each city in order
}

// shorten takes the tour of another strategy and repeats a step, which tries to shorten the route around one city,
// until it helps at no city any more.
func shorten(from Strategy, problem Problem, step func(*route, int) bool) (Tour, error) {
	tour, err := solve(from, problem)
	if err != nil {
		return Tour{}, err
	}

	r := &route{
		problem:    problem,
		neighbours: problem.Neighbours(neighbourhood),
		position:   make([]int, len(problem.Cities)),
	}
	r.follow(slices.Clone(tour.Order))
	for r.sweep(step) {
	}
	return Tour{Order: r.order, Length: problem.Length(r.order)}, nil
}

func (r *route) sweep(step func(*route, int) bool) bool {
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

// reverse turns round the part between two positions, both included.
func (r *route) reverse(first, last int) {
	slices.Reverse(r.order[first : last+1])
	for i := first; i <= last; i++ {
		r.position[r.order[i]] = i
	}
}

// after is the city some steps further along the round trip; a negative number looks back.
func (r *route) after(city, steps int) int {
	count := len(r.order)
	return r.order[(r.position[city]+steps+count)%count]
}
