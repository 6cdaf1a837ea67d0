package middleware

import (
	"context"
	"fmt"
	"reflect"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// task is a user's task function, worked out once at registration.
type task struct {
	name      string
	function  reflect.Value
	context   bool           // the first parameter is a context.Context
	params    []reflect.Type // without the context; the last one's element type if variadic
	paramName []string       // by Params, else nil
	results   int            // without the error
	form      form           // of the results
}

// A TaskOption configures RegisterTask.
type TaskOption func(*task) error

// Params names the parameters of a task in their order, the context left out,
// so that arguments made by Named find their place. A variadic parameter has
// no name.
func Params(names ...string) TaskOption {
	return func(t *task) error {
		want := len(t.params)
		if t.variadic() {
			want--
		}
		if len(names) != want {
			return fmt.Errorf("params: %d names for %d parameters", len(names), want)
		}
		seen := make(map[string]bool, len(names))
		for _, name := range names {
			if name == "" || seen[name] {
				return fmt.Errorf("params: %q is empty or repeated", name)
			}
			seen[name] = true
		}
		t.paramName = names
		return nil
	}
}

// RegisterTask registers a task function with the server under a name. fn is a
// function that may take a context.Context first, takes and returns base types,
// registered types and slices, maps, arrays and pointers of those, and returns
// an error last. It may be variadic. An error callback (OnError) may take an
// error first.
//
// It returns an error that names the parameter or result whose type cannot
// travel: envelope.ErrUnregistered or envelope.ErrUnsupported. Types must be
// registered before the tasks that use them.
func (m *Middleware) RegisterTask(name string, fn any, opts ...TaskOption) error {
	t, err := m.newTask(name, fn, opts)
	if err != nil {
		return err
	}
	m.wrapped.Store(name, t)
	return m.server.RegisterTask(name, m.wireFunction(t))
}

// RegisterTasks registers several task functions by name, all or none of them.
func (m *Middleware) RegisterTasks(fns map[string]any) error {
	functions := make(map[string]any, len(fns))
	registered := make([]*task, 0, len(fns))
	for name, fn := range fns {
		t, err := m.newTask(name, fn, nil)
		if err != nil {
			return err
		}
		functions[name] = m.wireFunction(t)
		registered = append(registered, t)
	}
	for _, t := range registered {
		m.wrapped.Store(t.name, t)
	}
	return m.server.RegisterTasks(functions)
}

func (m *Middleware) newTask(name string, fn any, opts []TaskOption) (*task, error) {
	if reflect.ValueOf(fn).Kind() != reflect.Func || reflect.ValueOf(fn).IsNil() {
		return nil, fmt.Errorf("register task %q: %w", name, tasks.ErrTaskMustBeFunc)
	}
	if err := tasks.ValidateTask(fn); err != nil {
		return nil, fmt.Errorf("register task %q: %w", name, err)
	}
	t := &task{name: name, function: reflect.ValueOf(fn), form: m.form}
	if err := m.inspect(t); err != nil {
		return nil, fmt.Errorf("register task %q: %w", name, err)
	}
	for _, option := range opts {
		if err := option(t); err != nil {
			return nil, fmt.Errorf("register task %q: %w", name, err)
		}
	}
	return t, nil
}

// inspect works out the parameters and results of a task.
func (m *Middleware) inspect(t *task) error {
	fn := t.function.Type()
	t.context = fn.NumIn() > 0 && fn.In(0) == contextType
	for i := range fn.NumIn() {
		if i == 0 && t.context {
			continue
		}
		param := fn.In(i)
		if i == fn.NumIn()-1 && fn.IsVariadic() {
			param = param.Elem()
		}
		t.params = append(t.params, param)
		if err := m.travels(param); err != nil && param != errorType {
			return fmt.Errorf("parameter %d (%s): %w", len(t.params), param, err)
		}
	}
	t.results = fn.NumOut() - 1
	for i := range t.results {
		if err := m.travels(fn.Out(i)); err != nil {
			return fmt.Errorf("result %d (%s): %w", i+1, fn.Out(i), err)
		}
	}
	return nil
}

// travels returns an error when values of static type t cannot be sent.
func (m *Middleware) travels(t reflect.Type) error {
	if t == contextType {
		return fmt.Errorf("%w: the context must be the first parameter", envelope.ErrUnsupported)
	}
	if isBase(t.Kind()) || isNativeSlice(t) {
		return nil
	}
	_, err := m.registry.TypeName(t)
	return err
}

func (m *Middleware) isWrapped(name string) bool {
	_, ok := m.wrapped.Load(name)
	return ok
}

func (t *task) variadic() bool { return t.function.Type().IsVariadic() }

// call runs a task on restored arguments and puts what it returns in results.
func (m *Middleware) call(ctx context.Context, t *task, reflected []any, results []any) (err error) {
	// A panic passes through to Machinery, but is a failure like any other.
	err = tasks.ErrTaskPanicked
	defer func() { noteFailure(ctx, err) }()

	ctx = m.extract(ctx, tasks.SignatureFromContext(ctx))
	args, err := m.arguments(ctx, t, reflected)
	if err != nil {
		return m.refused(ctx, err)
	}
	err = tasks.ErrTaskPanicked
	returned, err := m.run(ctx, t, args)
	if err != nil {
		return m.failed(ctx, err)
	}
	for i := range results {
		if _, results[i], err = m.wireValue(ctx, t.name, t.form, returned[i].Interface()); err != nil {
			return final(ctx, fmt.Errorf("task %q: result %d: %w", t.name, i+1, err))
		}
	}
	return nil
}

// run calls the task's function and returns its results, or its error.
func (m *Middleware) run(ctx context.Context, t *task, args []reflect.Value) (results []reflect.Value, err error) {
	started := m.now()
	err = tasks.ErrTaskPanicked
	defer func() { m.reportFailure(ctx, t.name, started, err) }()

	if !t.context {
		args = args[1:]
	}
	results = t.function.Call(args)
	if last := results[t.results]; !last.IsNil() {
		return nil, last.Interface().(error)
	}
	return results, nil
}

// final makes Machinery fail the task at once with err: what can never succeed,
// because an argument or a result cannot travel, is not retried.
func final(ctx context.Context, err error) error {
	if signature := tasks.SignatureFromContext(ctx); signature != nil {
		signature.RetryCount = 0
	}
	return err
}

// noteFailure keeps the error of a task that will not be retried.
func noteFailure(ctx context.Context, err error) {
	if err == nil || isRetried(ctx, err) {
		return
	}
	if d := deliveries.of(tasks.SignatureFromContext(ctx)); d != nil {
		d.failure = err
	}
}

// isRetried tells whether Machinery runs a task again that ends with err.
func isRetried(ctx context.Context, err error) bool {
	_, later := err.(tasks.ErrRetryTaskLater)
	s := tasks.SignatureFromContext(ctx)
	return later || s != nil && s.RetryCount > 0
}
