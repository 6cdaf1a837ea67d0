package middleware

import (
	"context"
	"fmt"
	"reflect"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// Of returns the middleware that is installed on a server, and whether one is.
func Of(server *machinery.Server) (m *Middleware, installed bool) {
	b, installed := find[interface{ middleware() *Middleware }](server.GetBroker())
	if !installed {
		return nil, false
	}
	return b.middleware(), true
}

// ServerOf returns the server that a middleware is installed on.
func ServerOf(m *Middleware) *machinery.Server { return m.server }

// ReadArg restores an argument of a signature that was published, such as that of a dead letter, into the value that
// target, a non-nil pointer, points to, as a worker does for a parameter of that type. Into an any it restores what
// the argument says it is. No Observer is told.
//
// It returns an error that wraps those of Registry.Unmarshal, envelope.ErrTypeMismatch for one, where the argument does
// not fit.
func ReadArg(ctx context.Context, m *Middleware, arg tasks.Arg, target any) error {
	pointer := reflect.ValueOf(target)
	if pointer.Kind() != reflect.Pointer || pointer.IsNil() {
		return fmt.Errorf("read an argument: target is a %T, not a pointer, or nil", target)
	}
	t := pointer.Type().Elem()
	value, err := m.unpacker.restore(ctx, "", arg, t)
	if err != nil {
		return fmt.Errorf("read an argument as %s: %w", t, err)
	}
	pointer.Elem().Set(value)
	return nil
}
