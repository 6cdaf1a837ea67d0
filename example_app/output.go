package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const (
	// longestArgument is how many characters of an argument are shown.
	longestArgument = 100
	// longestList is how many nodes of a tour are shown, and nodesInRow how many of them in one line.
	longestList = 60
	nodesInRow  = 20
)

func writeIntroduction(out io.Writer, options options, flow workflow) {
	problem, strategy := flow.example()
	fmt.Fprintf(out, "problem   %s, %d cities\n", options.problem.Name, len(options.problem.Cities))
	fmt.Fprintf(out, "broker    %s\n", options.transport)
	fmt.Fprintf(out, "workers   %d\n\n", workerCount)
	fmt.Fprintf(out, "The arguments of the first task, as they stand on the wire:\n")
	fmt.Fprintf(out, "  Problem   %s\n", shortened(problem))
	fmt.Fprintf(out, "  Strategy  %s\n\n", strategy)
	fmt.Fprintf(out, "group     improve(Problem, Strategy) Tour, from %d starts\n", flow.starts())
}

func writeBest(out io.Writer, best Tour) {
	fmt.Fprintf(out, "chord     shortest(...Tour) Tour keeps the one of %d\n", best.Length)
}

func writeReport(out io.Writer, report Report, took time.Duration) {
	fmt.Fprintf(out, "chain     report(Problem, Tour) Report\n\n")
	fmt.Fprintf(out, "tour      %s\n", listed(report.Tour.Nodes()))
	fmt.Fprintf(out, "length    %d, %s\n", report.Tour.Length, report.Verdict())
	fmt.Fprintf(out, "time      %.2f s\n", took.Seconds())
}

// shortened cuts what is too long to read.
func shortened(argument string) string {
	characters := []rune(argument)
	if len(characters) <= longestArgument {
		return argument
	}
	return fmt.Sprintf("%s… (%d bytes)", string(characters[:longestArgument]), len(argument))
}

// listed writes the first nodes of a tour in rows.
func listed(nodes []int) string {
	var rows []string
	for row := range slices.Chunk(nodes[:min(len(nodes), longestList)], nodesInRow) {
		rows = append(rows, strings.Trim(fmt.Sprint(row), "[]"))
	}
	if len(nodes) > longestList {
		rows = append(rows, fmt.Sprintf("… and %d more", len(nodes)-longestList))
	}
	return strings.Join(rows, "\n          ")
}
