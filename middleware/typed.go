package middleware

import (
	"context"

	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// A Task is a task whose argument and result the compiler knows. Declare it
// once, where both senders and workers see it:
//
//	var Ship = middleware.NewTask[Order, Receipt]("orders.ship")
//
// Slices of base types travel in envelopes, as with EnvelopeSlices.
type Task[In, Out any] struct{ name string }

// NewTask names a task. Its types are registered with the registry like any
// other; Register finds out if they are not.
func NewTask[In, Out any](name string) Task[In, Out] { return Task[In, Out]{name} }

// Name returns the task's name.
func (t Task[In, Out]) Name() string { return t.name }

// Register registers the function that does the task. Its errors are those of
// Middleware.RegisterTask.
func (t Task[In, Out]) Register(m *Middleware, fn func(context.Context, In) (Out, error)) error {
	return m.RegisterTask(t.name, fn, func(registered *task) error {
		registered.form = max(sliceForm, m.form)
		return nil
	})
}

// Signature makes a signature, for workflows. Its errors are those of
// Middleware.Signature.
func (t Task[In, Out]) Signature(ctx context.Context, m *Middleware, in In) (*tasks.Signature, error) {
	return m.signature(ctx, max(sliceForm, m.form), t.name, []any{in})
}

// Send makes a signature, lets the functions change it (its ETA, its
// RetryCount, …) and publishes it.
func (t Task[In, Out]) Send(ctx context.Context, m *Middleware, in In, change ...func(*tasks.Signature)) (*TaskResult[Out], error) {
	s, err := t.Signature(ctx, m, in)
	if err != nil {
		return nil, err
	}
	for _, f := range change {
		f(s)
	}
	res, err := m.SendTask(ctx, s)
	if err != nil {
		return nil, err
	}
	return &TaskResult[Out]{AsyncResult: res, m: m}, nil
}

// A TaskResult is the result of a typed task.
type TaskResult[Out any] struct {
	*result.AsyncResult
	m *Middleware
}

// Get waits for the result as Await does.
func (r *TaskResult[Out]) Get(ctx context.Context) (Out, error) {
	return Await[Out](ctx, r.m, r.AsyncResult)
}
