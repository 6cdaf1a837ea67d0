package main

import (
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// Units as benchfmt gives them.
const (
	seconds     = "sec/op"
	allocations = "allocs/op"
)

// measurements are the samples taken, by what was measured, and what they were taken on.
type measurements struct {
	samples   map[measurement][]float64
	processor string
	servers   map[string]string        // what they are and how they are set up
	took      map[string]time.Duration // by the benchmark
}

// The servers, as the lines of what the benchmarks print about them begin.
const (
	redisServer      = "redis"
	rabbitMQServer   = "rabbitmq"
	postgreSQLServer = "postgresql"
)

type measurement struct {
	benchmark  string // with its sub-benchmarks: Peers/payload=order-5/op=both/library=envelope
	experiment string // GOEXPERIMENT
	cores      int
	unit       string
}

func newMeasurements() *measurements {
	return &measurements{
		samples: make(map[measurement][]float64),
		servers: make(map[string]string),
		took:    make(map[string]time.Duration),
	}
}

// whole is how long all benchmarks together have taken.
func (m *measurements) whole() (sum time.Duration) {
	for _, took := range m.took {
		sum += took
	}
	return sum
}

func (m *measurements) add(result *benchfmt.Result, experiment string) {
	m.processor = result.GetConfig("cpu")
	for _, server := range []string{redisServer, rabbitMQServer, postgreSQLServer} {
		if description := result.GetConfig(server); description != "" {
			m.servers[server] = description
		}
	}
	name, cores := splitCores(result.Name)
	for _, v := range result.Values {
		key := measurement{name, experiment, cores, v.Unit}
		m.samples[key] = append(m.samples[key], v.Value)
	}
}

// splitCores cuts off the "-2" of a benchmark that ran on two cores.
func splitCores(name benchfmt.Name) (string, int) {
	_, parts := name.Parts()
	if len(parts) > 0 {
		last := string(parts[len(parts)-1])
		if cores, found := strings.CutPrefix(last, "-"); found {
			n, _ := strconv.Atoi(cores) // benchfmt takes off digits only
			return strings.TrimSuffix(name.String(), last), n
		}
	}
	return name.String(), 1
}

// median is NaN for what was not measured.
func (m *measurements) median(of measurement) float64 {
	samples := m.samples[of]
	if len(samples) == 0 {
		return math.NaN()
	}
	sample := benchmath.NewSample(samples, &benchmath.DefaultThresholds)
	return benchmath.AssumeNothing.Summary(sample, 0.95).Center
}
