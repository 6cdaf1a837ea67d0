package middleware

import (
	"context"
	"fmt"
	"reflect"

	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// A Task is a task whose argument and result the compiler knows. Declare it once, where both senders and workers see
// it:
//
//	var Ship = middleware.NewTask[Order, Receipt]("orders.ship")
//
// Slices of base types travel in envelopes, as with EnvelopeSlices. An In of struct{} is a task that takes nothing: the
// results of the tasks before it in a chain or chord, and the error that an error callback gets, are left out. An Out
// of struct{} is a task that returns only an error.
type Task[In, Out any] struct{ name string }

// NewTask names a task. Its types are registered with the registry like any other; Register finds out if they are not.
func NewTask[In, Out any](name string) Task[In, Out] { return Task[In, Out]{name} }

// Name returns the task's name.
func (t Task[In, Out]) Name() string { return t.name }

// Register registers the function that does the task. Its errors are those of Middleware.RegisterTask.
func (t Task[In, Out]) Register(m *Middleware, fn func(context.Context, In) (Out, error)) error {
	return m.RegisterTask(t.name, withoutNothing(fn), func(registered *task) error {
		registered.scope = max(scopeSlices, m.scope)
		registered.takesNothing = isNothing[In]()
		return nil
	})
}

// withoutNothing returns fn without the parameter and the result that are struct{}.
func withoutNothing[In, Out any](fn func(context.Context, In) (Out, error)) any {
	var nothing In
	switch {
	case isNothing[In]() && isNothing[Out]():
		return func(ctx context.Context) error {
			_, err := fn(ctx, nothing)
			return err
		}
	case isNothing[In]():
		return func(ctx context.Context) (Out, error) { return fn(ctx, nothing) }
	case isNothing[Out]():
		return func(ctx context.Context, in In) error {
			_, err := fn(ctx, in)
			return err
		}
	default:
		return fn
	}
}

// isNothing reports whether T is struct{}.
func isNothing[T any]() bool { return reflect.TypeFor[T]() == reflect.TypeFor[struct{}]() }

// Signature makes a signature, for workflows. Its errors are those of Middleware.Signature.
func (t Task[In, Out]) Signature(ctx context.Context, m *Middleware, in In) (*tasks.Signature, error) {
	args := []any{in}
	if isNothing[In]() {
		args = nil
	}
	return m.signature(ctx, max(scopeSlices, m.scope), t.name, args)
}

// Send makes a signature, lets the functions change it (its ETA, its RetryCount, …) and publishes it. Its errors are
// those of Signature and of the broker.
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

// SendAll makes a signature for each value, lets the functions change it, and publishes all as SendTasks does: the results
// are in the order of the values. Its errors are those of SendTasks; where Signature refuses a value, nothing is sent.
func (t Task[In, Out]) SendAll(ctx context.Context, m *Middleware, ins []In, change ...func(*tasks.Signature)) ([]*TaskResult[Out], error) {
	signatures := make([]*tasks.Signature, len(ins))
	for i, in := range ins {
		s, err := t.Signature(ctx, m, in)
		if err != nil {
			return nil, fmt.Errorf("send tasks: %w", refused(i, &tasks.Signature{Name: t.name}, err))
		}
		for _, f := range change {
			f(s)
		}
		signatures[i] = s
	}
	sent, err := m.SendTasks(ctx, signatures...)
	if sent == nil {
		return nil, err
	}
	results := make([]*TaskResult[Out], len(sent))
	for i, res := range sent {
		if res != nil {
			results[i] = &TaskResult[Out]{AsyncResult: res, m: m}
		}
	}
	return results, err
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
