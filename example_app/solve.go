package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/machinery-envelope/machinery-envelope/example_app/tsp"
)

// errOutOfTime is what a run ends with whose result does not come.
var errOutOfTime = errors.New("no result in time: do workers run on this broker and queue, with the same keyset?")

// solveOnEach has the problem solved on one transport after another, draws the best tour, and writes for a reader what
// was found.
func solveOnEach(ctx context.Context, options options, out io.Writer) error {
	var best tsp.Tour
	for i, transport := range options.transports {
		if i > 0 {
			fmt.Fprintln(out)
		}
		report, err := solveOn(ctx, options, transport, out)
		if err != nil {
			return err
		}
		if tour := report.Summary.Best; i == 0 || tour.Compare(best) < 0 {
			best = tour
		}
	}
	if options.svg == "" {
		return nil
	}
	if err := tsp.WritePicture(options.svg, options.problem, best); err != nil {
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
	solving, cancel := context.WithTimeoutCause(ctx, options.timeout, errOutOfTime)
	defer cancel()
	report, err := job.solve(solving)
	if err == nil {
		writeReport(out, report, &job.traffic, time.Since(began))
		job.page.stay(ctx, out)
	}
	if err := errors.Join(err, job.page.close(), transport.close()); err != nil {
		return Report{}, err
	}
	return report, nil
}
