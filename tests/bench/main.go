// Command bench times this project against its peers and against Machinery alone, and writes RESULTS.md.
//
//	go run .                    everything, medians of 5 rounds
//	go run . -bench Linearity   one section only, printed but not written
//	go run . -short             a smoke test of a minute, printed but not written
package main

import (
	"flag"
	"log"
	"os"
	"regexp"
)

const resultsFile = "RESULTS.md"

func main() {
	log.SetFlags(0)
	count := flag.Int("count", 5, "rounds; every median is over so many samples")
	benchtime := flag.String("benchtime", "300ms", "least time for one sample, as go test takes it")
	bench := flag.String("bench", "", "run only the sections whose benchmark matches this `regexp`")
	short := flag.Bool("short", false, "a single quick round, to see that everything runs")
	flag.Parse()

	if *short {
		*count, *benchtime = 1, "20ms"
	}
	chosen, err := choose(sections, *bench)
	if err != nil {
		log.Fatal(err)
	}
	m, err := measure(chosen, *count, *benchtime)
	if err != nil {
		log.Fatal(err)
	}
	results := render(chosen, m, *count, *benchtime)
	if _, err := os.Stdout.WriteString(results); err != nil {
		log.Fatal(err)
	}
	if *short || *bench != "" {
		return
	}
	if err := os.WriteFile(resultsFile, []byte(results), 0o644); err != nil {
		log.Fatal(err)
	}
}

// choose keeps the sections whose benchmark matches the pattern.
func choose(all []section, pattern string) ([]section, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	var chosen []section
	for _, s := range all {
		if re.MatchString(s.benchmark) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}
