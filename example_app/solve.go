package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// errOutOfTime is what a run ends with whose result does not come.
var errOutOfTime = errors.New("no result in time: do workers run on this broker and queue, with the same keyset?")

// solveOnEach has the problem solved on one transport after another, draws the best tour, and tells a reader.
func solveOnEach(ctx context.Context, options options, out io.Writer) error {
	var best Tour
	for i, transport := range options.transports {
		if i > 0 {
			fmt.Fprintln(out)
		}
		report, err := solveOn(ctx, options, transport, out)
		if err != nil {
			return err
		}
		if tour := report.Summary.Best; i == 0 || shorter(tour, best) < 0 {
			best = tour
		}
	}
	if options.svg == "" {
		return nil
	}
	if err := writePicture(options.svg, options.problem, best); err != nil {
		return err
	}
	fmt.Fprintf(out, "picture   %s\n", options.svg)
	return nil
}

func solveOn(ctx context.Context, options options, transport *transport, out io.Writer) (Report, error) {
	began := time.Now()
	if err := transport.open(ctx); err != nil {
		return Report{}, err
	}
	job := &job{options: options, transport: transport, out: out}
	ctx, cancel := context.WithTimeoutCause(ctx, options.timeout, errOutOfTime)
	defer cancel()
	report, err := job.solve(ctx)
	if err := errors.Join(err, transport.close()); err != nil {
		return Report{}, err
	}
	writeReport(out, report, &job.traffic, time.Since(began))
	return report, nil
}
