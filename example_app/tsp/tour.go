package tsp

import (
	"cmp"
	"fmt"
	"slices"
)

// Tour is a round trip: the cities in the order of the visits.
type Tour struct {
	Order  []int `json:"order"`
	Length int   `json:"length"`
}

// Check returns an error unless the tour visits every city of the problem once and has the length that it claims.
func (t Tour) Check(problem Problem) error {
	if len(t.Order) != len(problem.Cities) {
		return fmt.Errorf("tour visits %d cities of %d", len(t.Order), len(problem.Cities))
	}
	visited := make([]bool, len(t.Order))
	for _, city := range t.Order {
		if city < 0 || city >= len(visited) {
			return fmt.Errorf("tour visits city %d of %d", city, len(visited))
		}
		if visited[city] {
			return fmt.Errorf("tour visits city %d twice", city)
		}
		visited[city] = true
	}
	if length := problem.Length(t.Order); length != t.Length {
		return fmt.Errorf("tour claims length %d and has %d", t.Length, length)
	}
	return nil
}

// Compare orders tours by length, the shorter first. Tours of equal length are ordered by their cities, so that the
// best of several tours does not depend on the order in which they were found.
func (t Tour) Compare(other Tour) int {
	return cmp.Or(cmp.Compare(t.Length, other.Length), slices.Compare(t.Order, other.Order))
}

// meanLeg is the mean distance from one city to the next.
func (t Tour) meanLeg() float64 { return float64(t.Length) / float64(len(t.Order)) }

// Nodes returns the cities as TSPLIB numbers them, beginning with node 1.
func (t Tour) Nodes() []int {
	first := max(0, slices.Index(t.Order, 0))
	nodes := slices.Concat(t.Order[first:], t.Order[:first])
	for i := range nodes {
		nodes[i]++
	}
	return nodes
}
