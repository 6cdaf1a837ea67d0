package main

import "fmt"

var memory = section{
	title:     "Memory after 100,000 tasks",
	benchmark: "Memory",
	runs:      []run{{rounds: 1, cpu: "2"}},
	report:    reportMemory,
	bounds:    boundMemory,
}

const aboutMemory = `Orders of 5 lines sent through Redis and awaited, by eight goroutines of a process that runs the
tasks too. The heap in use after a garbage collection, when the caches and pools were filled by 5,000 tasks and again 100,000
tasks later.

`

const (
	heapBefore = "heap-before-B"
	heapAfter  = "heap-after-B"
)

// heap is a measurement of the one benchmark.
func heap(unit string) measurement { return measurement{"Memory", "", 2, unit} }

func reportMemory(m *measurements) string {
	before, after := m.median(heap(heapBefore)), m.median(heap(heapAfter))
	return aboutMemory + table([]string{"", "before", "after", "ratio"}, [][]string{
		{"heap", kilobytes(before), kilobytes(after), times(after/before, 3)},
	})
}

func boundMemory(m *measurements) []bound {
	return []bound{atMost(1.05, m.median(heap(heapAfter))/m.median(heap(heapBefore)), "heap after 100,000 tasks, of that before")}
}

func kilobytes(n float64) string { return fmt.Sprintf("%.0f KB", n/1e3) }
