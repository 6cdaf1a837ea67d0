package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// printing is a section whose benchmark prints a text.
func printing(t *testing.T, text string, runs ...run) (section, map[string]testBinary) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bench.test")
	if err := os.WriteFile(path, []byte("#!/bin/sh\ncat <<'END'\n"+text+"\nEND\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return section{benchmark: "X", runs: runs}, map[string]testBinary{"": {path: path}}
}

func TestARunOfOneRoundIsLeftOutOfTheOthers(t *testing.T) {
	s, binaries := printing(t, "BenchmarkX-2 1 5000000000 ns/op", run{cpu: "2", rounds: 1})
	m := newMeasurements()
	for round := range 3 {
		if err := measureSection(m, s, binaries, round, "1ms"); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.samples[measurement{"X", "", 2, seconds}]; len(got) != 1 || got[0] != 5 {
		t.Errorf("samples are %v, not one of 5 s", got)
	}
}

func TestTheHeadNamesServersAndTimes(t *testing.T) {
	s, binaries := printing(t, "redis: 7.0.15, save \"\"\nBenchmarkX-2 1 5 ns/op", run{cpu: "2"})
	m := newMeasurements()
	if err := measureSection(m, s, binaries, 0, "1ms"); err != nil {
		t.Fatal(err)
	}
	s.report = func(*measurements) string { return "" }
	s.bounds = func(*measurements) []bound { return nil }
	head := render([]section{s}, m, 3, "1ms")
	for _, line := range []string{"- Redis: 7.0.15, save \"\"\n", "- Time to measure: 0.0 minutes (X 0 s)\n"} {
		if !strings.Contains(head, line) {
			t.Errorf("no line %q in:\n%s", line, head)
		}
	}
}
