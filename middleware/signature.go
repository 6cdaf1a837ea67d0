package middleware

import (
	"context"
	"fmt"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// Signature makes a signature for a task from Go values: base types, registered
// types, and slices, maps, arrays and pointers of those. Arguments are
// positional unless made by Named.
//
// The values are put in envelopes here and now, so what happens to them later
// does not change what is sent, and Machinery's periodic tasks may copy the
// signature. Its UUID is left empty for Machinery to fill in on sending:
// a periodic task gets a new one each time.
//
// It returns envelope.ErrUnregistered for a value of a type that is not
// registered, and the errors of Registry.Marshal.
func (m *Middleware) Signature(ctx context.Context, name string, args ...any) (*tasks.Signature, error) {
	return m.signature(ctx, m.form, name, args)
}

func (m *Middleware) signature(ctx context.Context, f form, name string, args []any) (*tasks.Signature, error) {
	signature := &tasks.Signature{Name: name, Args: make([]tasks.Arg, len(args))}
	for i, value := range args {
		arg := &signature.Args[i]
		if n, ok := value.(named); ok {
			arg.Name, value = n.name, n.value
			signature.Headers = tasks.Headers{namedHeader: "1"}
		}
		var err error
		if arg.Type, arg.Value, err = m.wireValue(ctx, name, f, value); err != nil {
			return nil, fmt.Errorf("task %q: argument %s: %w", name, describe(*arg, i), err)
		}
	}
	vouch(signature)
	return signature, nil
}
