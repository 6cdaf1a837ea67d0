package tsp

import "context"

// TwoOpt removes crossings: it takes two legs out of the tour and connects their ends the other way, as long as that
// makes the tour shorter.
type TwoOpt struct {
	From Strategy `json:"from"`
}

// Name implements Strategy.
func (s TwoOpt) Name() string { return "2-opt" }

// Solve implements Strategy.
func (s TwoOpt) Solve(ctx context.Context, problem Problem) (Tour, error) {
	return shorten(ctx, s.From, problem, (*route).uncross)
}

// uncross looks for a better leg than one of the two that the city has, and takes the first that it finds.
func (r *route) uncross(city int) bool {
	for _, direction := range []int{1, -1} {
		old := r.after(city, direction)
		for _, near := range r.neighbours[city] {
			saved := r.problem.Distance(city, old) - r.problem.Distance(city, near)
			if saved <= 0 {
				break
			}
			other := r.after(near, direction)
			if r.problem.Distance(old, other)-r.problem.Distance(near, other) < saved {
				r.exchange(city, near, direction)
				return true
			}
		}
	}
	return false
}

// exchange replaces the legs that lead from two cities in a direction by one between the cities and one between
// their old partners.
func (r *route) exchange(a, b, direction int) {
	first, last := r.position[a], r.position[b]
	if first > last {
		first, last = last, first
	}
	if direction > 0 {
		r.reverse(first+1, last)
		return
	}
	r.reverse(first, last-1)
}
