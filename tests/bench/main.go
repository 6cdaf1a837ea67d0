// Command bench times this project against its peers and against Machinery alone, and writes RESULTS.md. One of the peers,
// river, works on PostgreSQL: the benchmark starts one of its own, where Debian's package postgresql or another is installed.
//
//	go run .                    everything, medians of 3 rounds, in less than 25 minutes
//	go run . -bench Linearity   one section only, printed but not written
//	go run . -bench SCALE       how costs grow, which is not part of everything; writes SCALE.md
//	go run . -short             a smoke test of a few minutes, printed but not written
package main

import (
	"flag"
	"log"
	"os"
	"regexp"
	"slices"
)

const resultsFile = "RESULTS.md"

func main() {
	log.SetFlags(0)
	count := flag.Int("count", 3, "rounds; every median is over so many samples")
	benchtime := flag.String("benchtime", "100ms", "least time for one sample, as go test takes it")
	bench := flag.String("bench", "", "run only the sections whose benchmark matches this `regexp`")
	short := flag.Bool("short", false, "a single quick round, to see that everything runs")
	flag.Parse()

	if *short {
		*count, *benchtime = 1, "20ms"
	}
	chosen, err := choose(*bench)
	if err != nil {
		log.Fatal(err)
	}
	if *short {
		chosen = hurried(chosen)
	}
	m, err := measure(chosen, *count, *benchtime)
	if err != nil {
		log.Fatal(err)
	}
	results, file := render(chosen, m, *count, *benchtime), resultsFile
	if isScalePage(chosen) {
		results, file = renderScale(chosen, m, *count), scalePage
	}
	if _, err := os.Stdout.WriteString(results); err != nil {
		log.Fatal(err)
	}
	if *short || *bench != "" && file != scalePage {
		return
	}
	if err := os.WriteFile(file, []byte(results), 0o644); err != nil {
		log.Fatal(err)
	}
}

// hurried has no run of the sections take longer than others.
func hurried(sections []section) []section {
	var all []section
	for _, s := range sections {
		s.runs = slices.Clone(s.runs)
		for i := range s.runs {
			s.runs[i].benchtime = ""
		}
		all = append(all, s)
	}
	return all
}

// choose keeps the sections whose benchmark, or the page that they are on, matches the pattern. Those of pages of their
// own are not in everything.
func choose(pattern string) ([]section, error) {
	if pattern == "" {
		return sections, nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	var chosen []section
	for _, s := range append(slices.Clone(sections), scaleSections...) {
		if re.MatchString(s.benchmark) || s.page != "" && re.MatchString(s.page) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}
