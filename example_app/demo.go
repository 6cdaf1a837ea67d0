package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// demonstrate solves the problem on the transport and tells a reader about it.
func demonstrate(ctx context.Context, options options, out io.Writer) error {
	began := time.Now()
	if err := options.transport.open(ctx); err != nil {
		return err
	}
	report, err := solveTogether(ctx, options, out)
	if err := errors.Join(err, options.transport.close()); err != nil {
		return err
	}
	writeReport(out, report, time.Since(began))
	return nil
}

// solveTogether has workers solve the problem, and stops them again.
func solveTogether(ctx context.Context, options options, out io.Writer) (Report, error) {
	registry, err := newRegistry()
	if err != nil {
		return Report{}, err
	}
	server := options.transport.newServer()
	m, err := middleware.Install(server, registry)
	if err != nil {
		return Report{}, err
	}
	flow, err := newWorkflow(ctx, m, options.problem)
	if err != nil {
		return Report{}, err
	}
	writeIntroduction(out, options, flow)

	progress := &progress{out: out, total: flow.starts()}
	defer flow.purge(server.GetBackend())
	workers, err := launchWorkers(options.transport, registry, newTasks(progress.add))
	defer quit(workers)
	if err != nil {
		return Report{}, err
	}

	chord, err := flow.send(ctx, server)
	if err != nil {
		return Report{}, err
	}
	// A failed member shows in the chord alone: the report would then be waited for in vain.
	best, err := middleware.Await[Tour](ctx, m, chord)
	progress.end()
	if err != nil {
		return Report{}, err
	}
	writeBest(out, best)
	return middleware.Await[Report](ctx, m, flow.report(server.GetBackend()))
}
