package middleware

import (
	"context"
	"fmt"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// Signature makes a signature for a task from Go values: base types, registered types, and slices, maps, arrays and
// pointers of those. Arguments are positional unless made by Named.
//
// The values are put in envelopes here and now, so what happens to them later does not change what is sent, and
// Machinery's periodic tasks may copy the signature. Its UUID is left empty for Machinery to fill in on sending: a
// periodic task gets a new one each time.
//
// It returns envelope.ErrUnregistered for a value of a type that is not registered, and the errors of Registry.Marshal,
// which are those of Registry.Err too.
// Where the task was registered with m, the arguments are checked as its worker would do it: it returns ErrArguments
// for too many of them and for names that the task does not have, and an *ArgumentError, with envelope.ErrTypeMismatch
// and the like, for one that does not fit its parameter. There may be fewer arguments than parameters, as callbacks get
// results or an error from Machinery: what is missing then fails the task. Signatures made by hand are not checked.
func (m *Middleware) Signature(ctx context.Context, name string, args ...any) (*tasks.Signature, error) {
	return m.signature(ctx, m.scope, name, args)
}

func (m *Middleware) signature(ctx context.Context, sc scope, name string, args []any) (*tasks.Signature, error) {
	if err := m.checkBroker(); err != nil {
		return nil, fmt.Errorf("task %q: %w", name, err)
	}
	signature := &tasks.Signature{Name: name, Args: make([]tasks.Arg, len(args))}
	for i, value := range args {
		arg := &signature.Args[i]
		if n, ok := value.(named); ok {
			arg.Name, value = n.name, n.value
			signature.Headers = tasks.Headers{namedHeader: "1"}
		}
		var err error
		if arg.Type, arg.Value, err = m.values.asSent(ctx, name, sc, value); err != nil {
			return nil, fmt.Errorf("task %q: argument %s: %w", name, describe(*arg, i), err)
		}
	}
	if t := m.taskOf(name); t != nil {
		if err := t.checkArguments(ctx, signature, args); err != nil {
			return nil, err
		}
	}
	markTrusted(signature)
	return signature, nil
}

// Values returns the arguments of a signature that is not published yet as they were before Signature has put them in
// envelopes, and those that it has not put in one as they are. It is for pre-publish handlers, and reads the envelopes
// on each call. Values of named base types have their base type.
//
// Its errors are those of Registry.UnmarshalAny, for a registry that has no key for reading, for instance.
func (m *Middleware) Values(ctx context.Context, s *tasks.Signature) ([]any, error) {
	values := make([]any, len(s.Args))
	var known trust
	known.read(s)
	for i, arg := range s.Args {
		values[i] = arg.Value
		text, ok := arg.Value.(string)
		if !ok || !envelope.Is(text) || !known.holds(text) {
			continue
		}
		var err error
		if values[i], err = m.values.registry.UnmarshalAny(ctx, text); err != nil {
			return nil, fmt.Errorf("task %q: argument %s: %w", s.Name, describe(arg, i), err)
		}
	}
	return values, nil
}
