package middleware

import (
	"context"
	"reflect"
	"time"

	"github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// An Observer is told what becomes of values and tasks, for metrics and logs.
// It is called by many goroutines at the same time, and while a send or a task
// waits. One that panics is logged; the send or task goes on.
//
// Package otelmiddleware has one for OpenTelemetry's metrics.
type Observer interface {
	// Sent is called for an argument or result that was put in an envelope.
	Sent(ctx context.Context, o Observation)
	// Restored is called for one that was restored from an envelope.
	Restored(ctx context.Context, o Observation)
	// Failed is called for an argument or result that could not be sent or
	// restored, and for a task that has failed for good, its retries used up, on
	// an error or panic of its own. It is called once for a task that fails
	// because of a value.
	Failed(ctx context.Context, o Observation)
}

// An Observation is what an Observer is told. It never holds a value.
type Observation struct {
	// Task is the name of the task. It is empty where that is not known: for
	// results of chains and chords on the side that awaits them.
	Task string
	// Type is the wire name of the value's type, or its Go type where it has
	// none. Messages do not decide it: it is the type that was sent, or that of
	// the parameter. It is empty for a task that has failed.
	Type string
	// Bytes is the length of the envelope, 0 if there is none.
	Bytes int
	// Duration is how long it took to write or read the envelope, or how long the
	// task ran until it failed.
	Duration time.Duration
	// Err is why it failed, nil otherwise. For a task it is the very error that
	// the task has returned, or tasks.ErrTaskPanicked.
	Err error
}

// WithObserver tells an observer about every value that travels in an envelope,
// and about failures. Tasks are seen that were registered through the
// middleware, and others that the worker could not see to their end.
func WithObserver(o Observer) Option {
	return func(m *Middleware) { m.observer = o }
}

// pack puts a value that a task takes or returns in an envelope.
func (m *Middleware) pack(ctx context.Context, task string, v any) (string, error) {
	started := m.now()
	text, err := m.registry.Marshal(ctx, v)
	if m.observer != nil {
		m.report(ctx, Observer.Sent, Observation{
			Task: task, Type: m.typeName(reflect.TypeOf(v)), Bytes: len(text), Duration: since(started), Err: err,
		})
	}
	return text, err
}

// unpack restores a value of type t that a task takes or returns. One that
// Machinery carried by itself is news only if it does not fit.
func (m *Middleware) unpack(ctx context.Context, task string, arg tasks.Arg, t reflect.Type) (reflect.Value, error) {
	started := m.now()
	v, err := m.restore(ctx, arg, t)
	if m.observer == nil {
		return v, err
	}
	took := since(started)
	if text, packed := m.envelopeFor(t, arg); packed || err != nil {
		m.report(ctx, Observer.Restored, Observation{
			Task: task, Type: m.typeName(typeOf(v, t)), Bytes: len(text), Duration: took, Err: err,
		})
	}
	return v, err
}

// typeOf returns the type of what was restored for a parameter of type t: where
// that is an interface, the envelope has chosen among the registered types.
func typeOf(v reflect.Value, t reflect.Type) reflect.Type {
	if t.Kind() != reflect.Interface || !v.IsValid() || v.IsNil() {
		return t
	}
	return v.Elem().Type()
}

func (m *Middleware) typeName(t reflect.Type) string {
	name, err := m.registry.TypeName(t)
	if err != nil {
		return t.String()
	}
	return name
}

// reportFailure tells the observer of a task that has ended with an error.
func (m *Middleware) reportFailure(ctx context.Context, task string, started time.Time, err error) {
	if err != nil && !isRetried(ctx, err) {
		m.report(ctx, Observer.Failed, Observation{Task: task, Duration: since(started), Err: err})
	}
}

// report tells the observer of a success by the method for it, or else of a
// failure. Whatever the observer does, the send or task goes on.
func (m *Middleware) report(ctx context.Context, success func(Observer, context.Context, Observation), o Observation) {
	if m.observer == nil {
		return
	}
	defer func() {
		if recover() != nil {
			log.ERROR.Printf("envelope: the observer panicked on task %q", o.Task)
		}
	}()
	if o.Err != nil {
		success = Observer.Failed
	}
	success(m.observer, ctx, o)
}

// now is the time, if anybody wants to know how long something takes.
func (m *Middleware) now() time.Time {
	if m.observer == nil {
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
