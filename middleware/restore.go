package middleware

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// restore makes a Go value of type t of an argument or result in wire form.
func (m *Middleware) restore(ctx context.Context, arg tasks.Arg, t reflect.Type) (reflect.Value, error) {
	if text, ok := arg.Value.(string); ok && t == errorType {
		text, err := m.openFailureText(ctx, text)
		return reflect.ValueOf(m.readFailure(ctx, text)), err
	}
	if text, ok := m.envelopeFor(t, arg); ok {
		return m.open(ctx, text, t)
	}
	native, err := parseNative(arg)
	if err != nil {
		return reflect.Value{}, err
	}
	return assign(native, t)
}

// envelopeFor returns the envelope that a value of type t is restored from, if
// the argument is one.
func (m *Middleware) envelopeFor(t reflect.Type, arg tasks.Arg) (string, bool) {
	text, ok := arg.Value.(string)
	if !ok || !envelope.Is(text) || !m.opens(text, t) {
		return "", false
	}
	return text, true
}

// open makes a value of type t of an envelope. Where no string is wanted it also
// opens one that was taken for a user's text on the way, and put in an envelope
// a second time: that happens when the headers of a signature are replaced.
func (m *Middleware) open(ctx context.Context, text string, t reflect.Type) (reflect.Value, error) {
	target := reflect.New(t)
	err := m.registry.Unmarshal(ctx, text, target.Interface())
	if err == nil {
		return target.Elem(), nil
	}
	var inner string
	if t.Kind() != reflect.Interface && m.registry.Unmarshal(ctx, text, &inner) == nil && envelope.Is(inner) {
		return m.open(ctx, inner, t)
	}
	return m.openConverted(ctx, text, t, err)
}

// opens tells whether a value of type t may be restored from an envelope.
// Where the receiver wants a string, a text that looks like an envelope is
// just a text, unless it is the envelope of a string, which is how the
// middleware protects a user's text on sending, or of nil.
func (m *Middleware) opens(text string, t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.String {
		return true
	}
	header, err := envelope.Parse(text)
	if err != nil {
		return false
	}
	name := strings.TrimPrefix(header.Type, "*")
	if name == "string" || name == "any" && mayBeNull(header) {
		return true
	}
	own, err := m.registry.TypeName(t)
	return err == nil && name == own
}

// mayBeNull tells whether the data of an envelope is null, or was encoded, so that
// it does not show.
func mayBeNull(header envelope.Envelope) bool {
	return len(header.Encoding) > 0 || string(header.Data) == "null"
}

// assign converts a native value to t without losing anything: between kinds
// of integers and kinds of floats, to named types, into pointers and into
// interfaces.
func assign(v reflect.Value, t reflect.Type) (reflect.Value, error) {
	switch {
	case v.Type() == t:
		return v, nil
	case t.Kind() == reflect.Interface && v.Type().Implements(t):
		return v.Convert(t), nil
	case t.Kind() == reflect.Pointer:
		return assignPointer(v, t)
	case v.Kind() == reflect.Slice && t.Kind() == reflect.Slice:
		return assignSlice(v, t)
	case isBase(t.Kind()):
		return assignBase(v, t)
	default:
		return reflect.Value{}, mismatch(v)
	}
}

func assignPointer(v reflect.Value, t reflect.Type) (reflect.Value, error) {
	element, err := assign(v, t.Elem())
	if err != nil {
		return reflect.Value{}, err
	}
	pointer := reflect.New(t.Elem())
	pointer.Elem().Set(element)
	return pointer.Convert(t), nil
}

func assignSlice(v reflect.Value, t reflect.Type) (reflect.Value, error) {
	if v.Type().ConvertibleTo(t) {
		return v.Convert(t), nil
	}
	slice := reflect.MakeSlice(t, v.Len(), v.Len())
	for i := range v.Len() {
		element, err := assign(v.Index(i), t.Elem())
		if err != nil {
			return reflect.Value{}, fmt.Errorf("[%d]: %w", i, err)
		}
		slice.Index(i).Set(element)
	}
	return slice, nil
}

func assignBase(v reflect.Value, t reflect.Type) (reflect.Value, error) {
	from, to := v.Kind(), t.Kind()
	if from == to {
		return v.Convert(t), nil
	}
	if !isNumber(from) || !isNumber(to) || isInteger(from) != isInteger(to) {
		return reflect.Value{}, mismatch(v)
	}
	converted := v.Convert(t)
	if overflows(v, converted) {
		return reflect.Value{}, fmt.Errorf("%w: %s overflows %s", envelope.ErrTypeMismatch, v.Type(), t)
	}
	return converted, nil
}

// overflows tells whether converting a number between kinds of integers or
// kinds of floats has changed it.
func overflows(v, converted reflect.Value) bool {
	if isSigned(v.Kind()) && isUnsigned(converted.Kind()) && v.Int() < 0 {
		return true
	}
	if isUnsigned(v.Kind()) && isSigned(converted.Kind()) && converted.Int() < 0 {
		return true
	}
	return !converted.Convert(v.Type()).Equal(v)
}

func mismatch(v reflect.Value) error {
	return fmt.Errorf("%w: got %s", envelope.ErrTypeMismatch, v.Type())
}
