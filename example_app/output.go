package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// maxNodes is how many nodes of a tour are shown, and nodesInRow how many of them in one line.
	maxNodes   = 60
	nodesInRow = 20
)

func writeIntroduction(out io.Writer, options options, transport *transport) {
	fmt.Fprintf(out, "problem   %s, %d cities\n", options.problem.Name, len(options.problem.Cities))
	fmt.Fprintf(out, "broker    %s\n", transport)
	if options.workers > 0 {
		fmt.Fprintf(out, "workers   %d in this process\n", options.workers)
	} else {
		fmt.Fprintf(out, "workers   those of %q\n", transport.queue.name)
	}
	fmt.Fprintf(out, "group     %d × %s(Problem, Strategy) Found\n", options.tasks, improveTask)
	fmt.Fprintf(out, "chord     %s(...Found) Summary\n", summarizeTask)
	fmt.Fprintf(out, "chain     %s(Problem, Summary) Report\n", reportTask)
}

func writeReport(out io.Writer, report Report, traffic *traffic, took time.Duration) {
	summary := report.Summary
	writeScores(out, summary)
	writeTraffic(out, traffic)
	fmt.Fprintf(out, "\nworkers   %s\n", shares(summary.Workers))
	fmt.Fprintf(out, "tour      %s\n", listed(summary.Best.Nodes()))
	fmt.Fprintf(out, "length    %d, %s\n", summary.Best.Length, report.Verdict)
	fmt.Fprintf(out, "time      %.2f s\n", took.Seconds())
}

func writeScores(out io.Writer, summary Summary) {
	fmt.Fprintf(out, "\n%-20s %6s %8s %10s %10s %10s\n", "strategy", "tasks", "retries", "best", "mean", "time")
	total := summary.total()
	for _, score := range append(slices.Clone(summary.Scores), total) {
		fmt.Fprintf(out, "%-20s %6d %8d %10d %10.0f %8.2f s\n",
			score.Strategy, score.Tasks, score.Retries, score.Best, score.Mean(), score.Took.Seconds())
	}
}

// writeTraffic lists what this process has put in envelopes and taken out of them.
func writeTraffic(out io.Writer, traffic *traffic) {
	fmt.Fprintf(out, "\n%-24s %6s %10s %8s %10s %10s\n", "type on the wire", "sent", "bytes", "opened", "bytes", "time")
	total := typeTraffic{name: ""}
	for _, t := range traffic.byBytes() {
		writeTypeTraffic(out, t)
		total.sent.envelopes += t.sent.envelopes
		total.sent.bytes += t.sent.bytes
		total.opened.envelopes += t.opened.envelopes
		total.opened.bytes += t.opened.bytes
		total.took += t.took
	}
	writeTypeTraffic(out, total)
}

func writeTypeTraffic(out io.Writer, t typeTraffic) {
	fmt.Fprintf(out, "%-24s %6d %10d %8d %10d %7.1f ms\n",
		t.name, t.sent.envelopes, t.sent.bytes, t.opened.envelopes, t.opened.bytes, 1000*t.took.Seconds())
}

// shares writes how many tasks each worker has run.
func shares(workers map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(workers)) {
		parts = append(parts, fmt.Sprintf("%s ran %d", name, workers[name]))
	}
	return strings.Join(parts, ", ")
}

// listed writes the first nodes of a tour in rows.
func listed(nodes []int) string {
	var rows []string
	for row := range slices.Chunk(nodes[:min(len(nodes), maxNodes)], nodesInRow) {
		rows = append(rows, strings.Trim(fmt.Sprint(row), "[]"))
	}
	if len(nodes) > maxNodes {
		rows = append(rows, fmt.Sprintf("… and %d more", len(nodes)-maxNodes))
	}
	return strings.Join(rows, "\n          ")
}
