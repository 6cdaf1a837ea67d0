package middleware

import (
	"context"
	"fmt"
	"reflect"
	"strconv"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// An ArgumentError says which argument of which task cannot be restored, or, from Signature, does not fit.
type ArgumentError struct {
	Task     string
	Position int          // of the parameter, counted from 1, without the context
	Name     string       // of the parameter, if it has one (see Params)
	Type     reflect.Type // of the parameter
	Err      error        // envelope.ErrTypeMismatch and the like
}

// Error names the task, the parameter and what came, never a value.
func (e *ArgumentError) Error() string {
	name := strconv.Itoa(e.Position)
	if e.Name != "" {
		name = strconv.Quote(e.Name)
	}
	return fmt.Sprintf("task %q: argument %s (%s): %v", e.Task, name, e.Type, e.Err)
}

// Unwrap returns the cause.
func (e *ArgumentError) Unwrap() error { return e.Err }

// restore returns the context and the arguments of a wrapped task.
func (d *delivery) restore(ctx context.Context) ([]reflect.Value, error) {
	d.once.Do(func() {
		d.args = append(d.few[:0], reflect.ValueOf(&d.context).Elem())
		d.argsErr = d.restoreAll(ctx)
	})
	return d.args, d.argsErr
}

// PreTask restores the arguments of a signature that a worker is about to run, for the task to take over. The signature
// stays as it came: it is what a retry publishes.
//
// It is Machinery's pre-task hook, for handlers that want the arguments before the task does. Without it a task
// restores its arguments itself, with its own context. PreTask does nothing for tasks that were not registered through
// the middleware, and for signatures that did not come from the server's broker.
func (m *Middleware) PreTask(s *tasks.Signature) { Args(s) }

// Args returns the arguments that the task of a signature gets, without the context, for pre-task and post-task
// handlers and while the task runs. They are the very values that the task works on. It returns nil for a task that was
// not registered through the middleware, for one that is not being processed, and for arguments that cannot be
// restored.
func Args(s *tasks.Signature) []any {
	d := deliveries.of(s)
	if d == nil || d.task == nil {
		return nil
	}
	args, err := d.restore(extract(context.Background(), d.m.propagator, s))
	if err != nil {
		return nil
	}
	values := make([]any, len(args)-1)
	for i, arg := range args[1:] {
		values[i] = arg.Interface()
	}
	return values
}

// arguments returns the context and the restored arguments for a call. Machinery's own reflection of them serves only
// where there is no signature, which is in calls that do not come from a worker.
func (t *task) arguments(ctx context.Context, reflected []any) ([]reflect.Value, error) {
	s := tasks.SignatureFromContext(ctx)
	if s == nil {
		s = &tasks.Signature{Name: t.name, Args: argsOf(reflected)}
	}
	d := deliveries.of(s)
	if d == nil {
		d = &delivery{m: t.m, signature: s, task: t}
	}
	d.context = ctx
	return d.restore(ctx)
}

func argsOf(values []any) []tasks.Arg {
	args := make([]tasks.Arg, len(values))
	for i, v := range values {
		args[i] = tasks.Arg{Type: fmt.Sprintf("%T", v), Value: v}
	}
	return args
}

func (d *delivery) restoreAll(ctx context.Context) error {
	t := d.task
	args, err := t.bind(d.signature)
	if err != nil {
		d.m.reporter.report(ctx, Observer.Failed, Observation{Task: t.name, Err: err})
		return err
	}
	for i, arg := range args {
		param := t.params[min(i, len(t.params)-1)]
		restored, err := d.m.unpacker.unpack(ctx, t.name, arg, param)
		if err != nil {
			return t.argumentError(i, param, describeMisfit(arg, param, err))
		}
		d.args = append(d.args, restored)
	}
	return nil
}

func (t *task) argumentError(place int, param reflect.Type, err error) error {
	return &ArgumentError{Task: t.name, Position: place + 1, Name: t.nameOf(place), Type: param, Err: err}
}

func (t *task) nameOf(position int) string {
	if position < len(t.paramName) {
		return t.paramName[position]
	}
	return ""
}
