package tsp

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTourCheck(t *testing.T) {
	problem := Problem{Cities: []City{{0, 0}, {10, 0}, {10, 10}, {0, 10}}}
	tests := map[string]struct {
		tour Tour
		want string
	}{
		"right":           {Tour{Order: []int{2, 1, 0, 3}, Length: 40}, ""},
		"a city too few":  {Tour{Order: []int{0, 1, 2}, Length: 34}, "tour visits 3 cities of 4"},
		"a city twice":    {Tour{Order: []int{0, 1, 1, 3}, Length: 34}, "tour visits city 1 twice"},
		"unknown city":    {Tour{Order: []int{0, 1, 2, 4}, Length: 40}, "tour visits city 4 of 4"},
		"negative city":   {Tour{Order: []int{0, 1, 2, -1}, Length: 40}, "tour visits city -1 of 4"},
		"another length":  {Tour{Order: []int{0, 1, 2, 3}, Length: 39}, "tour claims length 39 and has 40"},
		"nothing visited": {Tour{}, "tour visits 0 cities of 4"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.tour.Check(problem)
			if test.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.EqualError(t, err, test.want)
		})
	}
}

func TestNodesBeginWithTheFirst(t *testing.T) {
	tour := Tour{Order: []int{2, 3, 0, 1}}
	assert.Equal(t, []int{1, 2, 3, 4}, tour.Nodes())
	assert.Equal(t, []int{2, 3, 0, 1}, tour.Order)
}

func TestToursOfOneLengthAreOrderedByTheirCities(t *testing.T) {
	one, other := Tour{Order: []int{0, 1, 2}, Length: 5}, Tour{Order: []int{0, 2, 1}, Length: 5}
	assert.Negative(t, one.Compare(other))
	assert.Positive(t, one.Compare(Tour{Order: []int{0, 2, 1}, Length: 4}))
}
