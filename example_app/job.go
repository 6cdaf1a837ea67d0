package main

import (
	"context"
	"fmt"
	"io"

	"github.com/RichardKnop/machinery/v2"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// job is one problem on its way through one transport.
type job struct {
	options   options
	transport *transport
	traffic   traffic
	metrics   *metrics
	page      *page
	out       io.Writer

	registry *envelope.Registry
	server   *machinery.Server
	m        *middleware.Middleware
	flow     workflow
	progress *progress
}

// solve sends the tasks and awaits the report, with the workers that shall be in this process.
func (j *job) solve(ctx context.Context) (Report, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if err := j.prepare(ctx); err != nil {
		return Report{}, err
	}
	writeIntroduction(j.out, j.options, j.transport)
	var err error
	if j.page, err = servePage(ctx, j.options, j.transport, j.registry, j.metrics, j.out); err != nil {
		return Report{}, err
	}
	wire := wire{out: j.out, backend: j.server.GetBackend()}
	if j.options.showWire {
		wire.showArguments(j.flow)
	}

	defer j.flow.purge(j.server.GetBackend())
	workers := workers{transport: j.transport, registry: j.registry, observer: j.metrics.following(&j.traffic)}
	defer workers.quit()
	for i := range j.options.workers {
		name := fmt.Sprintf("worker-%d", i+1)
		if err := workers.launch(name, j.options.concurrency, newTasks(name, j.progress.add), fail); err != nil {
			return Report{}, err
		}
	}
	report, err := j.await(ctx)
	if err != nil && context.Cause(ctx) != nil {
		return Report{}, context.Cause(ctx)
	}
	if err != nil {
		return Report{}, err
	}
	if j.options.showWire && j.transport.keepsResults() {
		wire.showResults(j.flow)
	}
	return report, nil
}

// prepare makes everything that is to be sent.
func (j *job) prepare(ctx context.Context) error {
	var err error
	if j.registry, err = newRegistry(j.options.encryption...); err != nil {
		return err
	}
	if j.metrics, err = newMetrics(); err != nil {
		return err
	}
	j.server = j.transport.newServer()
	j.m, err = middleware.Install(j.server, j.registry, middleware.WithObserver(j.metrics.following(&j.traffic)))
	if err != nil {
		return err
	}
	problem := j.options.problem
	strategies := newStrategies(j.options.tasks, len(problem.Cities), j.options.seed)
	j.flow, err = newWorkflow(ctx, j.m, problem, strategies)
	j.progress = newProgress(j.out, len(strategies))
	return err
}

// await sends the tasks, and waits for the last of them.
func (j *job) await(ctx context.Context) (Report, error) {
	defer j.progress.end()
	chord, err := j.flow.send(ctx, j.m)
	if err != nil {
		return Report{}, err
	}
	if j.options.workers == 0 {
		defer j.follow(ctx)()
	}
	// A failed member shows in the chord alone: the report would then be waited for in vain.
	if _, err := middleware.Await[Summary](ctx, j.m, chord); err != nil {
		return Report{}, err
	}
	return middleware.Await[Report](ctx, j.m, j.flow.report(j.server.GetBackend()))
}
