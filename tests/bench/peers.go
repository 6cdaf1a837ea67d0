package main

import (
	"fmt"
	"strings"
)

var peers = section{
	title:     "Peers",
	benchmark: "Peers",
	runs: []run{
		{cpu: "1,2"},
		{cpu: "1,2", experiment: "jsonv2", only: "/.*/.*/library=(encoding-json|envelope)$"},
	},
	report: reportPeers,
	bounds: boundPeers,
}

const aboutPeers = `One operation is from a Go value to what could be sent, back, or both: a string for encoding/json and goccy/go-json
(written by hand, as in a task without this project) and for envelope, a protobuf payload for Temporal's default
converter, a message for watermill's JSON marshaler. "jsonv2" is the same code built with GOEXPERIMENT=jsonv2. Ratios are
against encoding/json without it, on as many cores; on two of them both work all the time.
`

// What is carried, and by whom: the names of the sub-benchmarks, and how the report shows them.
var (
	payloads = []struct{ name, title, note string }{
		{name: "order-5", title: "An order of 5 lines"},
		{name: "order-500", title: "An order of 500 lines"},
		{name: "page", title: "A nested polymorphic document", note: "The peers cannot restore interfaces. They carry a " +
			"union with one optional field for each kind, and are not charged for making it and taking it apart.\n\n"},
		{name: "bytes", title: "1 MiB of []byte", note: "Temporal carries it as it is, the others as base64.\n\n"},
		{name: "floats", title: "100,000 float64"},
	}
	operations = []string{"encode", "decode", "both"}
	libraries  = []struct{ name, experiment, title string }{
		{"encoding-json", "", "encoding/json"},
		{"encoding-json", "jsonv2", "encoding/json, jsonv2"},
		{"envelope", "", "**envelope**"},
		{"envelope", "jsonv2", "**envelope**, jsonv2"},
		{"go-json", "", "goccy/go-json"},
		{"temporal", "", "Temporal"},
		{"watermill", "", "watermill"},
	}
)

// carrying is the measurement of one sub-benchmark.
func carrying(payload, operation, library, experiment string, cores int, unit string) measurement {
	name := fmt.Sprintf("Peers/payload=%s/op=%s/library=%s", payload, operation, library)
	return measurement{name, experiment, cores, unit}
}

func reportPeers(m *measurements) string {
	var s strings.Builder
	s.WriteString(aboutPeers)
	for _, p := range payloads {
		fmt.Fprintf(&s, "\n### %s\n\n%s%s", p.title, p.note, peersTable(m, p.name))
	}
	return s.String()
}

func peersTable(m *measurements, payload string) string {
	head := []string{""}
	for _, cores := range []int{1, 2} {
		for _, op := range operations {
			head = append(head, op+", "+coreNames[cores])
		}
	}
	head = append(head, "both, allocs/op")
	var rows [][]string
	for _, l := range libraries {
		row := append([]string{l.title}, peerCosts(m, payload, l.name, l.experiment)...)
		rows = append(rows, row)
	}
	return table(head, rows)
}

// peerCosts are a library's cells in the table of a payload.
func peerCosts(m *measurements, payload, library, experiment string) []string {
	var cells []string
	for _, cores := range []int{1, 2} {
		for _, op := range operations {
			cost := m.median(carrying(payload, op, library, experiment, cores, seconds))
			base := m.median(carrying(payload, op, "encoding-json", "", cores, seconds))
			cells = append(cells, duration(cost)+" "+times(cost/base, 2))
		}
	}
	return append(cells, count(m.median(carrying(payload, "both", library, experiment, 1, allocations))))
}

// ordersAtMost are the most time that both ways may take of encoding/json's.
var ordersAtMost = []struct {
	lines int
	most  float64
}{{5, 0.33}, {500, 0.27}}

// pageAtMost is that of the polymorphic document.
const pageAtMost = 0.5

func boundPeers(m *measurements) []bound {
	var bounds []bound
	for _, order := range ordersAtMost {
		payload := fmt.Sprintf("order-%d", order.lines)
		for _, cores := range []int{1, 2} {
			promise := fmt.Sprintf("encode + decode %d lines on %s, time of encoding/json", order.lines, coreNames[cores])
			bounds = append(bounds,
				atMost(order.most, oursByBase(m, payload, "", cores, seconds), promise),
				atMost(0.7, oursByBase(m, payload, "jsonv2", cores, seconds), promise+", both with jsonv2"))
		}
		promise := fmt.Sprintf("encode + decode %d lines, allocations of encoding/json", order.lines)
		bounds = append(bounds,
			below(1, oursByBase(m, payload, "", 1, allocations), promise),
			below(1, oursByBase(m, payload, "jsonv2", 1, allocations), promise+", both with jsonv2"))
	}
	for _, cores := range []int{1, 2} {
		bounds = append(bounds, atMost(pageAtMost, oursByBase(m, "page", "", cores, seconds),
			fmt.Sprintf("encode + decode a polymorphic document on %s, time of encoding/json with a union", coreNames[cores])))
	}
	return bounds
}

// oursByBase is this project's cost of both ways by encoding/json's, on the same toolchain.
func oursByBase(m *measurements, payload, experiment string, cores int, unit string) float64 {
	ours := m.median(carrying(payload, "both", "envelope", experiment, cores, unit))
	return ours / m.median(carrying(payload, "both", "encoding-json", experiment, cores, unit))
}
