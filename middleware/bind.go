package middleware

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// ErrArguments is returned, or fails the task, when the arguments of a call do not match the parameters of the task in
// number or by name.
var ErrArguments = errors.New("arguments do not match the task's parameters")

// named is an argument with a name.
type named struct {
	name  string
	value any
}

// namedHeader is set on signatures with arguments made by Named. Machinery lets callers name arguments for their own
// sake; these are meant.
const namedHeader = "envelope-named"

// Named makes an argument for Signature that goes to the parameter of that name, wherever it stands. The task must have
// been registered with Params; it fails otherwise.
func Named(name string, v any) any { return named{name, v} }

// bind puts the arguments of a signature that was received in the order of the parameters, and returns ErrArguments
// where they are not those of the task in number or by name.
func (t *task) bind(s *tasks.Signature) ([]tasks.Arg, error) {
	if t.takesNothing {
		return nil, nil
	}
	order, err := t.place(s)
	if err != nil {
		return nil, err
	}
	if t.paramName == nil {
		return s.Args, t.checkCount(len(s.Args))
	}
	if i := slices.Index(order, missing); i >= 0 {
		return nil, fmt.Errorf("task %q: %w: parameter %q is missing: send `middleware.Named(%q, value)`",
			t.name, ErrArguments, t.paramName[i], t.paramName[i])
	}
	bound := make([]tasks.Arg, len(order))
	for place, i := range order {
		bound[place] = s.Args[i]
	}
	return bound, t.checkCount(len(bound))
}

// missing stands in an order for the argument of a parameter that has none.
const missing = -1

// place returns which arguments, by their index, go to the parameters and the places after them: those with a name by
// name, the others, in their order, where a place is left. Without Params it returns nil: names mean nothing then, as
// in Machinery itself.
func (t *task) place(s *tasks.Signature) (order []int, err error) {
	if t.paramName == nil && s.Headers[namedHeader] != nil {
		return nil, fmt.Errorf("task %q: %w: they are named, but its parameters %s are not: register it with `middleware.Params(…)`",
			t.name, ErrArguments, t.signature())
	}
	if t.paramName == nil {
		return nil, nil
	}
	order = slices.Repeat([]int{missing}, len(t.paramName))
	for i, arg := range s.Args {
		if arg.Name == "" {
			continue
		}
		place, known := t.placeOf[arg.Name]
		if !known {
			return nil, fmt.Errorf("task %q: %w: no parameter %q: it has %s", t.name, ErrArguments, arg.Name, t.signature())
		}
		if order[place] != missing {
			return nil, fmt.Errorf("task %q: %w: parameter %q is given twice: send one of them", t.name, ErrArguments, arg.Name)
		}
		order[place] = i
	}
	next := 0 // no place before it is left
	for i, arg := range s.Args {
		if arg.Name != "" {
			continue
		}
		for next < len(order) && order[next] != missing {
			next++
		}
		if next < len(order) {
			order[next] = i
		} else {
			order = append(order, i)
		}
	}
	return order, nil
}

func (t *task) checkCount(n int) error {
	want := len(t.params)
	if t.variadic() && n < want-1 {
		return fmt.Errorf("task %q: %w: takes at least %d, got %d: send %s", t.name, ErrArguments, want-1, n, t.signature())
	}
	if !t.variadic() && n != want {
		return fmt.Errorf("task %q: %w: takes %d, got %d: send %s%s", t.name, ErrArguments, want, n, t.signature(), t.chordAdvice(n))
	}
	return nil
}

// signature spells the parameters of a task: (order main.Order, cents int64)
func (t *task) signature() string {
	params := make([]string, len(t.params))
	for i, param := range t.params {
		params[i] = strings.TrimSpace(t.nameOf(i) + " " + param.String())
		if t.variadic() && i == len(t.params)-1 {
			params[i] = "..." + params[i]
		}
	}
	return "(" + strings.Join(params, ", ") + ")"
}

// chordAdvice says how a task takes the results of a chord, where it looks as if that was meant: they come one by one,
// after the arguments of its own.
func (t *task) chordAdvice(n int) string {
	if len(t.params) == 0 || n < len(t.params)-1 {
		return ""
	}
	last := t.params[len(t.params)-1]
	if last.Kind() != reflect.Slice {
		return ""
	}
	return fmt.Sprintf("; or, for the results of a chord declare it as `func(ctx context.Context, results ...%s) error`", last.Elem())
}
