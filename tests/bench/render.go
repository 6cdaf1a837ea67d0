package main

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"

	"golang.org/x/perf/benchunit"
)

const preamble = `# Results

Written by ` + "`make bench`" + `, or ` + "`go run .`" + ` in tests/bench; the peers' versions are in its go.mod.
Each number is the median of %d rounds of at least %s, all in one run. Libraries are timed after a test that each of them
returns what it was given.

A bound is what the project has set itself; one that is not met stands here as it was measured, and the tables show what
it is about.

- Processor: %s, %d cores
- Go: %s %s/%s
- Date: %s

`

// render is the whole of RESULTS.md.
func render(sections []section, m *measurements, rounds int, benchtime string) string {
	var s strings.Builder
	fmt.Fprintf(&s, preamble, rounds, benchtime, m.processor, runtime.NumCPU(),
		runtime.Version(), runtime.GOOS, runtime.GOARCH, time.Now().Format(time.DateOnly))
	s.WriteString("## Bounds\n\n" + boundsTable(sections, m))
	for _, section := range sections {
		fmt.Fprintf(&s, "\n## %s\n\n%s", section.title, section.report(m))
	}
	return s.String()
}

var coreNames = map[int]string{1: "one core", 2: "two cores"}

// table is Markdown: a head, the columns after the first aligned to the right, the rows.
func table(head []string, rows [][]string) string {
	lines := []string{line(head), "|---" + strings.Repeat("|--:", len(head)-1) + "|\n"}
	for _, row := range rows {
		lines = append(lines, line(row))
	}
	return strings.Join(lines, "")
}

func line(cells []string) string {
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// duration shows seconds with a fitting prefix.
func duration(seconds float64) string {
	if math.IsNaN(seconds) {
		return "–"
	}
	return benchunit.Scale(seconds, benchunit.Decimal) + "s"
}

// rate shows how often a second something that takes so many seconds happens.
func rate(seconds float64) string {
	if math.IsNaN(seconds) {
		return "–"
	}
	return fmt.Sprintf("%.0f", 1/seconds)
}

func count(n float64) string {
	if math.IsNaN(n) {
		return "–"
	}
	return fmt.Sprintf("%.0f", n)
}

// times shows a ratio.
func times(ratio float64, decimals int) string {
	if math.IsNaN(ratio) {
		return "–"
	}
	return fmt.Sprintf("%.*f×", decimals, ratio)
}
