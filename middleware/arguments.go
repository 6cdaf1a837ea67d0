package middleware

import (
	"context"
	"fmt"
	"reflect"
	"strconv"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// An ArgumentError says which argument of which task cannot be restored.
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

// restoration is the outcome of restoring the arguments of a signature.
type restoration struct {
	args []reflect.Value
	err  error
}

// PreTask restores the arguments of a signature that a worker is about to run,
// for the task to take over. The signature stays as it came: it is what a
// retry publishes. It does nothing for tasks that were not registered through
// the middleware.
//
// Attach installs it as a worker's pre-task handler. A worker without it works
// as well; its tasks restore their arguments themselves.
func (m *Middleware) PreTask(s *tasks.Signature) {
	if t, ok := m.wrapped.Load(s.Name); ok {
		args, err := m.restoreAll(context.Background(), t.(*task), s.Args)
		m.restored.Store(s, &restoration{args, err})
	}
}

// arguments returns the restored arguments for a call. Machinery's own
// reflection of them serves only where there is no signature, which is in
// calls that do not come from a worker.
func (m *Middleware) arguments(ctx context.Context, t *task, s *tasks.Signature, reflected []any) ([]reflect.Value, error) {
	if s == nil {
		return m.restoreAll(ctx, t, argsOf(reflected))
	}
	if r, ok := m.restored.Load(s); ok {
		return r.(*restoration).args, r.(*restoration).err
	}
	return m.restoreAll(ctx, t, s.Args)
}

func argsOf(values []any) []tasks.Arg {
	args := make([]tasks.Arg, len(values))
	for i, v := range values {
		args[i] = tasks.Arg{Type: fmt.Sprintf("%T", v), Value: v}
	}
	return args
}

func (m *Middleware) restoreAll(ctx context.Context, t *task, args []tasks.Arg) ([]reflect.Value, error) {
	args, err := t.bind(args)
	if err != nil {
		return nil, err
	}
	restored := make([]reflect.Value, len(args), len(args)+1)
	for i, arg := range args {
		param := min(i, len(t.params)-1)
		if restored[i], err = m.restore(ctx, arg, t.params[param]); err != nil {
			return nil, &ArgumentError{Task: t.name, Position: i + 1, Name: t.nameOf(i), Type: t.params[param], Err: err}
		}
	}
	return restored, nil
}

func (t *task) nameOf(position int) string {
	if position < len(t.paramName) {
		return t.paramName[position]
	}
	return ""
}
