package middleware

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// An Observer is told what becomes of values and tasks, for metrics and logs. It is called by many goroutines at the
// same time, and while a send or a task waits. One that panics is logged; the send or task goes on.
//
// One that is a TaskObserver too follows tasks. Package otelmiddleware has them for OpenTelemetry.
type Observer interface {
	// Sent is called for an argument or result that was put in an envelope.
	Sent(ctx context.Context, o Observation)
	// Restored is called for one that was restored from an envelope.
	Restored(ctx context.Context, o Observation)
	// Failed is called for an argument or result that could not be sent or restored, and for a task that has failed for
	// good, its retries used up, on an error or panic of its own. It is called once for a task that fails because of a
	// value.
	Failed(ctx context.Context, o Observation)
}

// An Observation is what an Observer is told. It never holds a value.
type Observation struct {
	// Task is the name of the task. It is empty where that is not known: for results of chains and chords on the side
	// that awaits them.
	Task string
	// Type is the wire name of the value's type, or its Go type where it has none. Messages do not decide it: it is the
	// type that was sent, or that of the parameter. It is empty for a task that has failed.
	Type string
	// Bytes is the length of the envelope, 0 if there is none.
	Bytes int
	// Duration is how long it took to write or read the envelope, or how long the task ran until it failed.
	Duration time.Duration
	// Err is why it failed, nil otherwise. For a task it is the very error that the task has returned, or
	// tasks.ErrTaskPanicked.
	Err error
}

// WithObserver tells an observer about every value that travels in an envelope, and about failures. Tasks are seen that
// were registered through the middleware, and others that the worker could not see to their end.
func WithObserver(o Observer) Option {
	return func(s *settings) error {
		if o == nil {
			return errors.New("WithObserver needs an observer")
		}
		s.observer = o
		return s.once("WithObserver")
	}
}

// WithLogger sets where the middleware logs, MachineryLogger() by default. Its lines have the attributes task, uuid,
// queue and error, where they are known. They never hold a value of a task: where the text of an error might, error is
// its type alone. A panic that is not the task's has the attribute stack too.
func WithLogger(l *slog.Logger) Option {
	return func(s *settings) error {
		if l == nil {
			return errors.New("WithLogger needs a logger")
		}
		s.logger = l
		return s.once("WithLogger")
	}
}

// A reporter tells the observer and the log.
type reporter struct {
	observer Observer     // nil if there is none
	tasks    TaskObserver // the observer, if it is one
	logger   *slog.Logger
}

func newReporter(observer Observer, logger *slog.Logger) *reporter {
	tasks, _ := observer.(TaskObserver)
	return &reporter{observer, tasks, logger}
}

// about returns the logger for lines about a task.
func (r *reporter) about(s *tasks.Signature) *slog.Logger {
	return r.logger.With("task", s.Name, "uuid", s.UUID, "queue", s.RoutingKey)
}

// failed tells the observer of a task that has ended without running.
func (r *reporter) failed(task string, reason error) {
	r.report(context.Background(), Observer.Failed, Observation{Task: task, Err: reason})
}

// report tells the observer of a success by the method for it, or else of a failure. Whatever the observer does, the
// send or task goes on.
func (r *reporter) report(ctx context.Context, success func(Observer, context.Context, Observation), o Observation) {
	if r.observer == nil {
		return
	}
	if o.Err != nil {
		success = Observer.Failed
	}
	r.guard(o.Task, func() { success(r.observer, ctx, o) })
}

// now is the time, if anybody wants to know how long something takes.
func (r *reporter) now() time.Time {
	if r.observer == nil {
		return time.Time{}
	}
	return time.Now()
}

// since is how long ago it was what now returned.
func since(started time.Time) time.Duration {
	if started.IsZero() {
		return 0
	}
	return time.Since(started)
}
