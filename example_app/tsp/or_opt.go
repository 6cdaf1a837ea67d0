package tsp

import (
	"context"
	"slices"
)

// OrOpt moves short runs of cities to where they fit better, either way round.
type OrOpt struct {
	From Strategy `json:"from"`
}

// maxRun is how many cities OrOpt moves at once; longer runs hardly ever find a better place.
const maxRun = 3

// Name implements Strategy.
func (s OrOpt) Name() string { return "or-opt" }

// Solve implements Strategy.
func (s OrOpt) Solve(ctx context.Context, problem Problem) (Tour, error) {
	return shorten(ctx, s.From, problem, (*route).relocate)
}

// relocate looks for a better place for the runs that reach from the city in either direction.
func (r *route) relocate(city int) bool {
	for length := 1; length <= min(maxRun, len(r.order)-2); length++ {
		for _, direction := range []int{1, -1} {
			run := make([]int, length)
			for i := range run {
				run[i] = r.after(city, i*direction)
			}
			if r.replace(run, direction) {
				return true
			}
		}
	}
	return false
}

// replace moves the run next to a city that its head is near to, if that makes the tour shorter.
func (r *route) replace(run []int, direction int) bool {
	head, tail := run[0], run[len(run)-1]
	before, behind := r.after(head, -direction), r.after(tail, direction)
	saved := r.problem.Distance(before, head) + r.problem.Distance(tail, behind) - r.problem.Distance(before, behind)

	for _, near := range r.neighbours[head] {
		if r.problem.Distance(head, near) >= saved {
			return false
		}
		if slices.Contains(run, near) {
			continue
		}
		for _, side := range []int{1, -1} {
			partner := r.after(near, side)
			if slices.Contains(run, partner) {
				partner = r.after(partner, side*len(run))
			}
			added := r.problem.Distance(head, near) + r.problem.Distance(tail, partner) - r.problem.Distance(near, partner)
			if added < saved {
				r.insert(run, near, side)
				return true
			}
		}
	}
	return false
}

// insert takes the run out of the tour and puts it beside a city, its head towards that city.
func (r *route) insert(run []int, near, side int) {
	order := slices.DeleteFunc(slices.Clone(r.order), func(city int) bool { return slices.Contains(run, city) })
	at := slices.Index(order, near)
	if side > 0 {
		r.follow(slices.Insert(order, at+1, run...))
		return
	}
	slices.Reverse(run)
	r.follow(slices.Insert(order, at, run...))
}
