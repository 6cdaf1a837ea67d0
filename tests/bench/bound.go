package main

import (
	"fmt"
	"math"
)

// A bound is a promise about speed and what became of it; NaN stands for not measured.
type bound struct {
	promise  string
	measured float64
	met      bool
}

// atMost promises a cost of at most limit times another's.
func atMost(limit, measured float64, promise string) bound {
	return bound{fmt.Sprintf("%s: at most %v×", promise, limit), measured, measured <= limit}
}

// atLeast promises at least limit times another's speed.
func atLeast(limit, measured float64, promise string) bound {
	return bound{fmt.Sprintf("%s: at least %v×", promise, limit), measured, measured >= limit}
}

// below promises less than limit times another's.
func below(limit, measured float64, promise string) bound {
	return bound{fmt.Sprintf("%s: below %v×", promise, limit), measured, measured < limit}
}

func (b bound) verdict() string {
	switch {
	case math.IsNaN(b.measured):
		return "not measured"
	case b.met:
		return "met"
	default:
		return "**not met**"
	}
}

func boundsTable(sections []section, m *measurements) string {
	var rows [][]string
	for _, s := range sections {
		for _, b := range s.bounds(m) {
			rows = append(rows, []string{b.promise, times(b.measured, 3), b.verdict()})
		}
	}
	return table([]string{"bound", "measured", "verdict"}, rows)
}
