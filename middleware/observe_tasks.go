package middleware

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// Headers that senders with a TaskObserver set, as strings, for the observers of workers.
const (
	// SentHeader is when the task was published, in milliseconds since 1970 by the sender's clock.
	SentHeader = "envelope-sent"
	// RunsHeader counts how often the task has run before.
	RunsHeader = "envelope-runs"
)

// A TaskObserver is an Observer that follows tasks from when they are sent until they have run, for traces and for
// metrics of tasks. Give it to WithObserver, which finds out by itself that it is one. Tasks carry SentHeader and
// RunsHeader then.
//
// Package otelmiddleware has one for OpenTelemetry.
type TaskObserver interface {
	Observer
	// Sending is called before a task is published, by senders and for retries and callbacks by workers. What the
	// context that it returns holds, a Propagator carries to where the task runs. The function that it returns is called
	// once, with the error of publishing or nil. It may be nil.
	Sending(ctx context.Context, t TaskObservation) (sending context.Context, ended func(err error))
	// Running is called before the arguments of a task that was registered through the middleware are restored, with
	// what a Propagator has carried. The task gets the context that it returns. The function that it returns is called
	// once, when the task has ended, with its error or nil. It may be nil.
	Running(ctx context.Context, t TaskObservation) (running context.Context, ended func(o Outcome, err error))
}

// A TaskObservation is what a TaskObserver is told of a task. It never holds a value.
type TaskObservation struct {
	// Task is the name of the task, and UUID its own.
	Task, UUID string
	// Queue is where the task is sent to or was taken from: its routing key, empty where a broker chooses later.
	Queue string
	// Run is which run of the task it is, from 1. Tasks of senders without a TaskObserver count from where they met one.
	Run int
	// Waited is how long the task has waited until it runs: since it was sent, by the sender's clock, or since its ETA.
	// It is -1 where that is not known, and when the task is being sent.
	Waited time.Duration
}

// An Outcome is how a run of a task has ended.
type Outcome string

// How runs end.
const (
	Succeeded Outcome = "success"
	// Retried is a task that comes again.
	Retried Outcome = "retry"
	// Failed is a task that has failed for good.
	Failed Outcome = "failure"
)

func outcomeOf(ctx context.Context, err error) Outcome {
	switch {
	case err == nil:
		return Succeeded
	case isRetried(ctx, err):
		return Retried
	}
	return Failed
}

// sending tells the observer that a task is being published. Machinery's workers send retries and callbacks without a
// context: those belong to what came with the task.
func (b *broker) sending(ctx context.Context, s *tasks.Signature) (context.Context, func(error)) {
	o := b.m.reporter.tasks
	if o == nil {
		return ctx, func(error) {}
	}
	if ctx == context.Background() {
		ctx = extract(ctx, b.m.propagator, s)
	}
	run := runs(s) + 1
	if deliveries.of(s) != nil {
		run++ // a retry
	}
	t := TaskObservation{Task: s.Name, UUID: s.UUID, Queue: s.RoutingKey, Run: run, Waited: -1}
	var ended func(error)
	b.m.reporter.guard(s.Name, func() {
		if sending, end := o.Sending(ctx, t); sending != nil {
			ctx, ended = sending, end
		}
	})
	return ctx, func(err error) {
		if ended != nil {
			b.m.reporter.guard(s.Name, func() { ended(err) })
		}
	}
}

// stamp sets the headers for the observers of workers on a task that is about to be published. received is the task as
// the caller has it. The headers of packed are its own.
func (r *reporter) stamp(packed, received *tasks.Signature) {
	if r.tasks == nil {
		return
	}
	setOwnHeader(packed, SentHeader, strconv.FormatInt(time.Now().UnixMilli(), 10))
	if deliveries.of(received) != nil {
		setOwnHeader(packed, RunsHeader, strconv.Itoa(runs(packed)+1))
	}
}

// running tells the observer that a task is about to run.
func (r *reporter) running(ctx context.Context, name string) (context.Context, func(error)) {
	s := tasks.SignatureFromContext(ctx)
	if r.tasks == nil || s == nil {
		return ctx, func(error) {}
	}
	t := TaskObservation{Task: name, UUID: s.UUID, Queue: s.RoutingKey, Run: runs(s) + 1, Waited: waited(s)}
	outer := ctx
	var ended func(Outcome, error)
	r.guard(name, func() {
		if running, end := r.tasks.Running(ctx, t); running != nil {
			ctx, ended = running, end
		}
	})
	return ctx, func(err error) {
		if ended != nil {
			r.guard(name, func() { ended(outcomeOf(outer, err), err) })
		}
	}
}

// runs returns how often a task has run before.
func runs(s *tasks.Signature) int { return attempts(s, RunsHeader) }

// waited returns how long a task has waited, or -1. Clocks differ: nothing has waited less than no time.
func waited(s *tasks.Signature) time.Duration {
	text, _ := s.Headers[SentHeader].(string)
	milliseconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1
	}
	since := time.UnixMilli(milliseconds)
	if s.ETA != nil && s.ETA.After(since) {
		since = *s.ETA
	}
	return max(0, time.Since(since))
}

// guard calls the observer. Whatever it does, the send or task goes on.
func (r *reporter) guard(task string, call func()) {
	defer func() {
		if value := recover(); value != nil {
			r.logger.Error("envelope: the observer panicked", "task", task, "error", fmt.Sprintf("%T", value))
		}
	}()
	call()
}
