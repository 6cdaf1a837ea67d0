package middleware

import (
	"errors"
	"fmt"
	"slices"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// ErrArguments is returned, or fails the task, when the arguments of a call do
// not match the parameters of the task in number or by name.
var ErrArguments = errors.New("arguments do not match the task's parameters")

// named is an argument with a name.
type named struct {
	name  string
	value any
}

// namedHeader is set on signatures with arguments made by Named. Machinery lets
// callers name arguments for their own sake; these are meant.
const namedHeader = "envelope-named"

// Named makes an argument for Signature that goes to the parameter of that
// name, wherever it stands. The task must have been registered with Params; it
// fails otherwise.
func Named(name string, v any) any { return named{name, v} }

// bind puts arguments in the order of the parameters: those with a name by
// name, the others, in their order, where a place is left. Without Params,
// names mean nothing, as in Machinery itself.
func (t *task) bind(s *tasks.Signature) ([]tasks.Arg, error) {
	args := s.Args
	if t.paramName == nil && s.Headers[namedHeader] != nil {
		return nil, fmt.Errorf("task %q: %w: they are named, but the task was registered without middleware.Params", t.name, ErrArguments)
	}
	if t.paramName == nil {
		return args, t.checkCount(len(args))
	}
	bound := make([]tasks.Arg, len(t.paramName), max(len(args), len(t.paramName)))
	taken := make([]bool, len(t.paramName))
	for _, arg := range args {
		if arg.Name == "" {
			continue
		}
		i := slices.Index(t.paramName, arg.Name)
		if i < 0 {
			return nil, fmt.Errorf("task %q: %w: no parameter %q", t.name, ErrArguments, arg.Name)
		}
		if taken[i] {
			return nil, fmt.Errorf("task %q: %w: parameter %q is given twice", t.name, ErrArguments, arg.Name)
		}
		bound[i], taken[i] = arg, true
	}
	for _, arg := range args {
		if arg.Name != "" {
			continue
		}
		if i := slices.Index(taken, false); i >= 0 {
			bound[i], taken[i] = arg, true
		} else {
			bound = append(bound, arg)
		}
	}
	if i := slices.Index(taken, false); i >= 0 {
		return nil, fmt.Errorf("task %q: %w: parameter %q is missing", t.name, ErrArguments, t.paramName[i])
	}
	return bound, t.checkCount(len(bound))
}

func (t *task) checkCount(n int) error {
	want := len(t.params)
	if t.variadic() && n < want-1 {
		return fmt.Errorf("task %q: %w: takes at least %d, got %d", t.name, ErrArguments, want-1, n)
	}
	if !t.variadic() && n != want {
		return fmt.Errorf("task %q: %w: takes %d, got %d", t.name, ErrArguments, want, n)
	}
	return nil
}
