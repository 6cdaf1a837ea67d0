package main

import (
	"fmt"
	"math"
)

// A bound is a promise about speed and what became of it.
type bound struct {
	promise  string
	measured string
	verdict  string
}

// atMost promises a cost of at most limit times another's.
func atMost(limit, measured float64, promise string) bound {
	promise = fmt.Sprintf("%s: at most %v×", promise, limit)
	return bound{promise, times(measured, 3), verdict(measured, measured <= limit)}
}

// atLeast promises at least limit times another's speed.
func atLeast(limit, measured float64, promise string) bound {
	promise = fmt.Sprintf("%s: at least %v×", promise, limit)
	return bound{promise, times(measured, 3), verdict(measured, measured >= limit)}
}

// below promises less than limit times another's.
func below(limit, measured float64, promise string) bound {
	promise = fmt.Sprintf("%s: below %v×", promise, limit)
	return bound{promise, times(measured, 3), verdict(measured, measured < limit)}
}

// within promises at most so much of what show writes, such as seconds.
func within(limit, measured float64, show func(float64) string, promise string) bound {
	promise = fmt.Sprintf("%s: at most %s", promise, show(limit))
	return bound{promise, show(measured), verdict(measured, measured <= limit)}
}

// verdict takes NaN for not measured.
func verdict(measured float64, met bool) string {
	switch {
	case math.IsNaN(measured):
		return "not measured"
	case met:
		return "met"
	default:
		return "**not met**"
	}
}

func boundsTable(sections []section, m *measurements) string {
	var rows [][]string
	for _, s := range sections {
		for _, b := range s.bounds(m) {
			rows = append(rows, []string{b.promise, b.measured, b.verdict})
		}
	}
	return table([]string{"bound", "measured", "verdict"}, rows)
}
