package main

import "fmt"

var linearity = section{
	title:     "Linear cost",
	benchmark: "Linearity",
	runs:      []run{{cpu: "1"}},
	report:    reportLinearity,
	bounds:    boundLinearity,
}

const aboutLinearity = `Time for one element at growing numbers of them. Where cost is linear it stays the same, but for a
fixed cost that fades on the left, and caches and the garbage collector that make themselves felt on the right. The limit
on depth is raised for this from its default of 1,000.

`

// growths are the ways in which a value can grow.
var growths = []struct{ name, title string }{
	{"size", "elements of a slice"},
	{"depth", "depth of a linked list"},
	{"envelopes", "envelopes in a []any"},
	{"nested", "envelopes in one another"},
}

var growthOperations = []string{"encode", "decode"}

// linearSlack is how much dearer an element may be among 100,000 than among 1,000.
const linearSlack = 2

var growthSizes = []int{1_000, 10_000, 100_000}

// perElement is the time for one of n elements.
func perElement(m *measurements, growth, operation string, n int) float64 {
	name := fmt.Sprintf("Linearity/growth=%s/op=%s/n=%d", growth, operation, n)
	return m.median(measurement{name, "", 1, seconds}) / float64(n)
}

func reportLinearity(m *measurements) string {
	head := []string{""}
	for _, n := range growthSizes {
		head = append(head, fmt.Sprint(n))
	}
	var rows [][]string
	for _, g := range growths {
		for _, op := range growthOperations {
			row := []string{op + ", " + g.title}
			for _, n := range growthSizes {
				row = append(row, duration(perElement(m, g.name, op, n)))
			}
			rows = append(rows, row)
		}
	}
	return aboutLinearity + table(head, rows)
}

func boundLinearity(m *measurements) []bound {
	var bounds []bound
	first, last := growthSizes[0], growthSizes[len(growthSizes)-1]
	for _, g := range growths {
		for _, op := range growthOperations {
			ratio := perElement(m, g.name, op, last) / perElement(m, g.name, op, first)
			bounds = append(bounds, atMost(linearSlack, ratio,
				fmt.Sprintf("%s, %s: one of %d against one of %d", op, g.title, last, first)))
		}
	}
	return bounds
}
