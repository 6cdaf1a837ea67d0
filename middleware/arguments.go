package middleware

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"sync"

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

// restorations are those of the signatures that are being processed. Handlers
// that ask for them have nothing but the signature.
var restorations sync.Map // *tasks.Signature → *restoration

// restoration is the outcome of restoring the arguments of a signature, once,
// and of the task that got them.
type restoration struct {
	m    *Middleware
	task *task
	once sync.Once
	args []reflect.Value
	err  error
	// failure is the error of the task, when it will not be retried.
	failure error
}

func restorationOf(s *tasks.Signature) *restoration {
	r, _ := restorations.Load(s)
	known, _ := r.(*restoration)
	return known
}

func (r *restoration) restore(ctx context.Context, s *tasks.Signature) ([]reflect.Value, error) {
	r.once.Do(func() { r.args, r.err = r.m.restoreAll(ctx, r.task, s) })
	return r.args, r.err
}

// PreTask restores the arguments of a signature that a worker is about to run,
// for the task to take over. The signature stays as it came: it is what a
// retry publishes.
//
// It is Machinery's pre-task hook, for handlers that want the arguments before
// the task does. Without it a task restores its arguments itself, with its own
// context. PreTask does nothing for tasks that were not registered through the
// middleware, and for signatures that did not come from the server's broker.
func (m *Middleware) PreTask(s *tasks.Signature) { Args(s) }

// Args returns the arguments that the task of a signature gets, without the
// context, for pre-task and post-task handlers and while the task runs. They are
// the very values that the task works on. It returns nil for a task that was not
// registered through the middleware, for one that is not being processed, and
// for arguments that cannot be restored.
func Args(s *tasks.Signature) []any {
	r := restorationOf(s)
	if r == nil {
		return nil
	}
	args, err := r.restore(r.m.extract(context.Background(), s), s)
	if err != nil {
		return nil
	}
	values := make([]any, len(args))
	for i, arg := range args {
		values[i] = arg.Interface()
	}
	return values
}

// arguments returns the restored arguments for a call. Machinery's own
// reflection of them serves only where there is no signature, which is in
// calls that do not come from a worker.
func (m *Middleware) arguments(ctx context.Context, t *task, reflected []any) ([]reflect.Value, error) {
	s := tasks.SignatureFromContext(ctx)
	if s == nil {
		s = &tasks.Signature{Name: t.name, Args: argsOf(reflected)}
	}
	if r := restorationOf(s); r != nil {
		return r.restore(ctx, s)
	}
	return m.restoreAll(ctx, t, s)
}

func argsOf(values []any) []tasks.Arg {
	args := make([]tasks.Arg, len(values))
	for i, v := range values {
		args[i] = tasks.Arg{Type: fmt.Sprintf("%T", v), Value: v}
	}
	return args
}

func (m *Middleware) restoreAll(ctx context.Context, t *task, s *tasks.Signature) ([]reflect.Value, error) {
	args, err := t.bind(s)
	if err != nil {
		m.report(ctx, Observer.Failed, Observation{Task: t.name, Err: err})
		return nil, err
	}
	restored := make([]reflect.Value, len(args), len(args)+1)
	for i, arg := range args {
		param := t.params[min(i, len(t.params)-1)]
		if restored[i], err = m.unpack(ctx, t.name, arg, param); err != nil {
			return nil, &ArgumentError{Task: t.name, Position: i + 1, Name: t.nameOf(i), Type: param, Err: err}
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
