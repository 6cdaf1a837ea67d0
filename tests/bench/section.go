package main

// sections are what RESULTS.md consists of, in its order. A new one is a file
// with its section, a file with its benchmarks, and a line here.
var sections = []section{peers, machineryAlone, linearity, encodings, wrapping, signing, throughput, memory, rabbitMQBroker, redisBroker, redisPeers, redisGroups}

// A section is one benchmark function, how to run it, and how to show what it measured.
type section struct {
	title     string
	benchmark string // the function's name without "Benchmark"
	runs      []run
	report    func(m *measurements) string  // Markdown below the title
	bounds    func(m *measurements) []bound // what is promised about it
	page      string                        // the file that it is in; RESULTS.md where empty
}

// A run is one way to run a section's benchmark.
type run struct {
	experiment string // GOEXPERIMENT
	cpu        string // as go test -cpu takes it
	only       string // which sub-benchmarks: "/" and what go test -bench takes after one; all when empty
	benchtime  string // least time for one sample, where the one for all would be too short
	rounds     int    // how many, where fewer do; as many as there are when 0
}
