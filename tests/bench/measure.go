package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"

	"golang.org/x/perf/benchfmt"
)

// measure runs the sections round after round, so that a slow minute of the
// machine falls on one sample of everything and not on all samples of one thing.
func measure(sections []section, rounds int, benchtime string) (*measurements, error) {
	m := &measurements{samples: make(map[measurement][]float64)}
	for round := range rounds {
		for _, s := range sections {
			for _, r := range s.runs {
				log.Printf("round %d of %d: %s %s", round+1, rounds, s.benchmark, r.experiment)
				if err := goTest(m, s.benchmark, r, benchtime); err != nil {
					return nil, fmt.Errorf("%s: %w", s.benchmark, err)
				}
			}
		}
	}
	return m, nil
}

// goTest adds one run to m. The tests run too: where a round trip is not equal, go test times nothing.
func goTest(m *measurements, benchmark string, r run, benchtime string) error {
	pattern := "^Benchmark" + benchmark + "$" + r.only
	if r.benchtime != "" {
		benchtime = r.benchtime
	}
	cmd := exec.Command("go", "test", "-bench="+pattern, "-benchmem", "-benchtime="+benchtime,
		"-cpu="+r.cpu, "-count=1", "-timeout=1h", ".")
	cmd.Env = append(os.Environ(), "GOEXPERIMENT="+r.experiment)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := read(m, io.TeeReader(out, os.Stderr), r.experiment)
	return errors.Join(readErr, cmd.Wait())
}

// read adds what go test prints to m.
func read(m *measurements, out io.Reader, experiment string) error {
	reader := benchfmt.NewReader(out, "go test")
	for reader.Scan() {
		if result, ok := reader.Result().(*benchfmt.Result); ok {
			m.add(result, experiment)
		}
	}
	return reader.Err()
}
