package main

import "fmt"

var throughput = section{
	title:     "Tasks through Machinery",
	benchmark: "Throughput",
	runs:      []run{{cpu: "2", benchtime: "1s"}},
	report:    reportThroughput,
	bounds:    boundThroughput,
}

const aboutThroughput = `Tasks that take and return an order, through Machinery's own brokers: with JSON strings that the
task and its caller write and read by hand with encoding/json, and with the middleware. Eight goroutines send, a worker of
concurrency 8 in the same process runs the tasks; time from the first send to the end of the last task. Results go to Redis
on both. Rounds are of a second.

`

var (
	throughputTransports = []struct{ name, title string }{{"redis", "Redis"}, {"rabbitmq", "RabbitMQ"}}
	throughputPayloads   = []struct {
		name, title string
		lines       int // of the order
	}{{"1KB", "1 KB", 10}, {"64KB", "64 KB", 850}}
)

// tasksOf is the measurement of one sub-benchmark.
func tasksOf(transport, payload, way string) measurement {
	name := fmt.Sprintf("Throughput/transport=%s/payload=%s/way=%s", transport, payload, way)
	return measurement{name, "", 2, seconds}
}

func reportThroughput(m *measurements) string {
	var rows [][]string
	for _, t := range throughputTransports {
		for _, p := range throughputPayloads {
			byHand, ours := m.median(tasksOf(t.name, p.name, "json")), m.median(tasksOf(t.name, p.name, "middleware"))
			rows = append(rows, []string{t.title + ", " + p.title, rate(byHand), rate(ours), times(byHand/ours, 2)})
		}
	}
	return aboutThroughput + table([]string{"tasks per second", "JSON by hand", "middleware", "ratio"}, rows)
}

func boundThroughput(m *measurements) []bound {
	var bounds []bound
	for _, t := range throughputTransports {
		for _, p := range throughputPayloads {
			byHand, ours := m.median(tasksOf(t.name, p.name, "json")), m.median(tasksOf(t.name, p.name, "middleware"))
			bounds = append(bounds, atLeast(1, byHand/ours,
				fmt.Sprintf("tasks with %s on %s, speed of JSON strings by hand", p.title, t.title)))
		}
	}
	return bounds
}
