package middleware

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
	stringType  = reflect.TypeFor[string]()
)

// task is a user's task function, worked out once at registration.
type task struct {
	m         *Middleware
	name      string
	function  reflect.Value
	context   bool           // the first parameter is a context.Context
	params    []reflect.Type // without the context; the last one's element type if variadic
	paramName []string       // by Params, else nil
	placeOf   map[string]int // of the parameters, by their names
	results   int            // without the error
	scope     scope          // of the results

	takesNothing bool     // whatever comes is left out
	fits         sync.Map // fit → nil: what accepts has found to fit
}

// A TaskOption configures RegisterTask.
type TaskOption func(*task) error

// Params names the parameters of a task in their order, the context left out, so that arguments made by Named find
// their place. A variadic parameter has no name.
func Params(names ...string) TaskOption {
	return func(t *task) error {
		want := len(t.params)
		if t.variadic() {
			want--
		}
		if len(names) != want {
			return fmt.Errorf("middleware.Params: %d names for %d parameters: name those of %s, not the context or a variadic one",
				len(names), want, t.signature())
		}
		placeOf := make(map[string]int, len(names))
		for place, name := range names {
			if _, repeated := placeOf[name]; repeated || name == "" {
				return fmt.Errorf("middleware.Params: %q is empty or repeated: give each parameter a name of its own", name)
			}
			placeOf[name] = place
		}
		t.paramName, t.placeOf = names, placeOf
		return nil
	}
}

// RegisterTask registers a task function with the server under a name. fn is a function that may take a context.Context
// first, takes and returns base types, registered types and slices, maps, arrays and pointers of those, and returns an
// error last. It may be variadic. Parameters and results may also be of type error: they take errors of registered
// types, and nil. An error callback (OnError) may take an error first, which is a *TaskError.
//
// It returns an error that names the parameter or result whose type cannot travel, envelope.ErrUnregistered or
// envelope.ErrUnsupported, and that of Registry.Err. Types must be registered before the tasks that use them. Several
// goroutines may register tasks at a time.
func (m *Middleware) RegisterTask(name string, fn any, opts ...TaskOption) error {
	t, err := m.newTask(name, fn, opts)
	if err != nil {
		return err
	}
	m.wrapped.Store(name, t)
	return m.server.RegisterTask(name, t.wireFunction())
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
		functions[name] = t.wireFunction()
		registered = append(registered, t)
	}
	for _, t := range registered {
		m.wrapped.Store(t.name, t)
	}
	return m.server.RegisterTasks(functions)
}

func (m *Middleware) newTask(name string, fn any, opts []TaskOption) (*task, error) {
	if err := m.values.registry.Err(); err != nil {
		return nil, fmt.Errorf("register task %q: %w", name, err)
	}
	if reflect.ValueOf(fn).Kind() != reflect.Func || reflect.ValueOf(fn).IsNil() {
		return nil, fmt.Errorf("register task %q: %w", name, tasks.ErrTaskMustBeFunc)
	}
	if err := tasks.ValidateTask(fn); err != nil {
		return nil, fmt.Errorf("register task %q: %w", name, err)
	}
	if err := checkLast(reflect.TypeOf(fn)); err != nil {
		return nil, fmt.Errorf("register task %q: %w", name, err)
	}
	t := &task{m: m, name: name, function: reflect.ValueOf(fn), scope: m.scope}
	if err := t.inspect(); err != nil {
		return nil, fmt.Errorf("register task %q: %w", name, err)
	}
	for _, option := range opts {
		if err := option(t); err != nil {
			return nil, fmt.Errorf("register task %q: %w", name, err)
		}
	}
	return t, nil
}

// checkLast refuses functions that cannot say that there was no error: their last result is an error that is never nil.
func checkLast(fn reflect.Type) error {
	last := fn.Out(fn.NumOut() - 1)
	if last.Kind() != reflect.Interface && last.Kind() != reflect.Pointer {
		return fmt.Errorf("%w: the last result is %s, which cannot be nil: return error instead", envelope.ErrUnsupported, last)
	}
	return nil
}

// inspect works out the parameters and results of a task.
func (t *task) inspect() error {
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
		if err := t.m.values.travels(param); err != nil {
			return fmt.Errorf("parameter %d (%s): %w", len(t.params), param, err)
		}
	}
	t.results = fn.NumOut() - 1
	for i := range t.results {
		if err := t.m.values.travels(fn.Out(i)); err != nil {
			return fmt.Errorf("result %d (%s): %w", i+1, fn.Out(i), err)
		}
	}
	return nil
}

// taskOf returns the task that was registered through the middleware under a name, or nil.
func (m *Middleware) taskOf(name string) *task {
	t, ok := m.wrapped.Load(name)
	if !ok {
		return nil
	}
	return t.(*task)
}

func (t *task) variadic() bool { return t.function.Type().IsVariadic() }
