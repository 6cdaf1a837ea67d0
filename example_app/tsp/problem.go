package tsp

import (
	"cmp"
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strings"
)

// City is a point in the plane.
type City struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// Problem asks for the shortest round trip through all its cities.
type Problem struct {
	Name   string `json:"name"`
	Cities []City `json:"cities"`
	// Optimum is the length of the best tour there is, 0 where it is not known.
	Optimum int `json:"optimum,omitempty"`
}

//go:embed testdata/berlin52.tsp
var berlin52File string

// Berlin52 is TSPLIB's problem of 52 places in Berlin.
func Berlin52() (Problem, error) {
	return ParseProblem(strings.NewReader(berlin52File))
}

// Distance is TSPLIB's EUC_2D: Euclidean, rounded to the nearest integer.
func (p Problem) Distance(a, b int) int {
	dx := p.Cities[a].X - p.Cities[b].X
	dy := p.Cities[a].Y - p.Cities[b].Y
	return int(math.Sqrt(dx*dx+dy*dy) + 0.5)
}

// Length is the length of the round trip that visits the cities in the given order.
func (p Problem) Length(order []int) int {
	if len(order) == 0 {
		return 0
	}
	length := p.Distance(order[len(order)-1], order[0])
	for i := 1; i < len(order); i++ {
		length += p.Distance(order[i-1], order[i])
	}
	return length
}

// Neighbours lists for each city its count nearest cities, the nearest first.
func (p Problem) Neighbours(count int) [][]int {
	neighbours := make([][]int, len(p.Cities))
	for city := range neighbours {
		neighbours[city] = p.nearest(city, count)
	}
	return neighbours
}

func (p Problem) nearest(city, count int) []int {
	type candidate struct{ city, distance int }
	closer := func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.city, b.city))
	}

	found := make([]candidate, 0, count+1)
	for other := range p.Cities {
		if other == city {
			continue
		}
		next := candidate{other, p.Distance(city, other)}
		if len(found) == count && closer(next, found[count-1]) >= 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(found, next, closer)
		found = slices.Insert(found, at, next)
		found = found[:min(len(found), count)]
	}

	cities := make([]int, len(found))
	for i, candidate := range found {
		cities[i] = candidate.city
	}
	return cities
}

// Verdict compares a tour with the optimum, in words.
func (p Problem) Verdict(tour Tour) string {
	switch {
	case p.Optimum == 0:
		return "the optimum is not known"
	case tour.Length == p.Optimum:
		return "the proven optimum"
	case tour.Length < p.Optimum:
		return fmt.Sprintf("below the optimum of %d: this cannot be TSPLIB's problem of that name", p.Optimum)
	}
	excess := 100 * float64(tour.Length-p.Optimum) / float64(p.Optimum)
	return fmt.Sprintf("%.2f %% over the proven optimum of %d", excess, p.Optimum)
}
