package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/perf/benchfmt"
)

// measure runs the sections round after round, so that a slow minute of the
// machine falls on one sample of everything and not on all samples of one thing.
func measure(sections []section, rounds int, benchtime string) (*measurements, error) {
	dir, err := os.MkdirTemp("", "machinery-envelope-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binaries, err := buildAll(sections, dir)
	if err != nil {
		return nil, err
	}
	m := newMeasurements()
	for round := range rounds {
		log.Printf("round %d of %d", round+1, rounds)
		for _, s := range sections {
			if err := measureSection(m, s, binaries, round, benchtime); err != nil {
				return nil, fmt.Errorf("%s: %w", s.benchmark, err)
			}
		}
	}
	return m, nil
}

// measureSection is one section in one round.
func measureSection(m *measurements, s section, binaries map[string]testBinary, round int, benchtime string) error {
	for _, r := range s.runs {
		if r.rounds > 0 && round >= r.rounds {
			continue
		}
		begin := time.Now()
		if err := binaries[r.experiment].run(m, s.benchmark, r, benchtime); err != nil {
			return err
		}
		took := time.Since(begin)
		m.took[s.benchmark] += took
		log.Printf("%s took %s, all so far %s", s.benchmark, took.Round(time.Second), m.whole().Round(time.Second))
	}
	return nil
}

// A testBinary is the benchmarks compiled with an experiment. It is built once: go test would link it for every run.
type testBinary struct{ path, experiment string }

// buildAll makes one for each experiment of the sections' runs, in a directory.
func buildAll(sections []section, dir string) (map[string]testBinary, error) {
	binaries := make(map[string]testBinary)
	for _, s := range sections {
		for _, r := range s.runs {
			if _, built := binaries[r.experiment]; built {
				continue
			}
			binary := testBinary{filepath.Join(dir, "bench"+r.experiment+".test"), r.experiment}
			cmd := exec.Command("go", "test", "-c", "-o", binary.path, ".")
			cmd.Env = append(os.Environ(), "GOEXPERIMENT="+r.experiment)
			cmd.Stderr = os.Stderr
			if err := cmd.Run(); err != nil {
				return nil, fmt.Errorf("go test -c: %w", err)
			}
			binaries[r.experiment] = binary
		}
	}
	return binaries, nil
}

// run adds one run to m. The tests run too: where a round trip is not equal, nothing is timed.
func (t testBinary) run(m *measurements, benchmark string, r run, benchtime string) error {
	if r.benchtime != "" {
		benchtime = r.benchtime
	}
	cmd := exec.Command(t.path, "-test.bench=^Benchmark"+benchmark+"$"+r.only, "-test.benchmem",
		"-test.benchtime="+benchtime, "-test.cpu="+r.cpu, "-test.count=1", "-test.timeout=1h")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := read(m, io.TeeReader(out, os.Stderr), t.experiment)
	return errors.Join(readErr, cmd.Wait())
}

// read adds what the benchmarks print to m.
func read(m *measurements, out io.Reader, experiment string) error {
	reader := benchfmt.NewReader(out, "benchmarks")
	for reader.Scan() {
		if result, ok := reader.Result().(*benchfmt.Result); ok {
			m.add(result, experiment)
		}
	}
	return reader.Err()
}
