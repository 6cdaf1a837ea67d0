package middleware

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// EnvelopeAll puts every argument in an envelope, and every result of a task that
// was registered through the middleware: what Machinery carries by itself too. A
// registry that encrypts then encrypts it all.
//
// Every worker on the queue needs the middleware. Tasks registered with Machinery
// directly get base values, as ever; their results stay as they are in the result
// backend, and so do the texts of errors.
//
// An argument whose value does not fit the type that it names is refused, where
// Machinery would change it.
func EnvelopeAll() Option {
	return func(m *Middleware) { m.form = allForm }
}

// valueToPack returns the value of an argument that is going to travel in an
// envelope. One that names a native type becomes what its task would get from
// Machinery.
func (m *Middleware) valueToPack(arg tasks.Arg) (any, error) {
	if !m.declaresItsType(arg) || reflect.TypeOf(arg.Value) == nativeTypes[arg.Type] {
		return arg.Value, nil
	}
	read, err := readBack(arg.Value)
	if err != nil {
		return nil, err
	}
	value, err := parseNative(tasks.Arg{Type: arg.Type, Value: read})
	if err != nil {
		return nil, err
	}
	return value.Interface(), nil
}

// openConverted makes a value of type t of an envelope of another native type, as
// of a value that Machinery carried: between kinds of integers and so on. err is
// why the envelope does not fit t.
func (m *Middleware) openConverted(ctx context.Context, text string, t reflect.Type, err error) (reflect.Value, error) {
	header, parseErr := envelope.Parse(text)
	if parseErr != nil || nativeTypes[header.Type] == nil || !errors.Is(err, envelope.ErrTypeMismatch) {
		return reflect.Value{}, err
	}
	native := reflect.New(nativeTypes[header.Type])
	if err := m.registry.Unmarshal(ctx, text, native.Interface()); err != nil {
		return reflect.Value{}, err
	}
	return assign(native.Elem(), t)
}

// openFailureText returns the text of an error that was passed to an error callback.
func (m *Middleware) openFailureText(ctx context.Context, text string) (string, error) {
	header, err := envelope.Parse(text)
	if err != nil || header.Type != "string" {
		return text, nil
	}
	var opened string
	if err := m.registry.Unmarshal(ctx, text, &opened); err != nil {
		return "", fmt.Errorf("text of the error: %w", err)
	}
	return opened, nil
}
