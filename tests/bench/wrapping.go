package main

import "fmt"

var wrapping = section{
	title:     "Wrapping a task",
	benchmark: "Wrapping",
	runs:      []run{{cpu: "1"}},
	report:    reportWrapping,
	bounds:    boundWrapping,
}

const aboutWrapping = `What a worker pays for a task of two arguments, an order of 5 lines and one of its lines, between
the broker and the end of the task, the states in the backend left out: a plain task that takes two strings and calls
Registry.Unmarshal itself, and a task with those two types that was registered through the middleware.

`

// wrapped is the measurement of one sub-benchmark.
func wrapped(way, unit string) measurement {
	return measurement{"Wrapping/way=" + way, "", 1, unit}
}

// added is what the middleware costs over doing the same by hand.
func added(m *measurements, unit string) float64 {
	return m.median(wrapped("middleware", unit)) - m.median(wrapped("direct", unit))
}

func reportWrapping(m *measurements) string {
	row := func(title, unit string, show func(float64) string) []string {
		return []string{title,
			show(m.median(wrapped("direct", unit))), show(m.median(wrapped("middleware", unit))), show(added(m, unit))}
	}
	return aboutWrapping + table([]string{"", "by hand", "middleware", "added"}, [][]string{
		row("time", seconds, duration),
		row("allocations", allocations, count),
	})
}

func boundWrapping(m *measurements) []bound {
	allocs := func(n float64) string { return fmt.Sprintf("%s allocations", count(n)) }
	return []bound{
		within(2e-6, added(m, seconds), duration, "wrapping a task of two arguments adds"),
		within(12, added(m, allocations), allocs, "wrapping a task of two arguments adds"),
	}
}
