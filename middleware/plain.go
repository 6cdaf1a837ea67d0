package middleware

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// openForPlain opens, for a task that was registered past the middleware, the
// envelopes that a middleware has put around values of Machinery's own types: a
// nil slice from a wrapped task, NaN, or a text that looks like an envelope. The
// task gets what it would get without the middleware. Other envelopes, and those
// of producers without the middleware, are texts to it.
//
// It returns why one cannot be opened, and makes Machinery fail the task by a
// type that is none.
func (m *Middleware) openForPlain(s *tasks.Signature) (err error) {
	if s.Headers[FormatHeader] == nil {
		return nil
	}
	s.Args = slices.Clone(s.Args)
	for i, arg := range s.Args {
		text, ok := arg.Value.(string)
		if !ok || !envelope.Is(text) {
			continue
		}
		opened, openErr := m.openNative(s.Name, arg, text)
		if openErr != nil && err == nil {
			err = fmt.Errorf("task %q: argument %s: %w", s.Name, describe(arg, i), openErr)
			opened.Type = "an envelope (" + openErr.Error() + ")"
		}
		s.Args[i] = opened
	}
	return err
}

// An unopenedError is Machinery's failure of a task because of an envelope that
// cannot be opened. Its text is Machinery's.
type unopenedError struct {
	error
	cause error
}

func (e *unopenedError) Unwrap() error { return e.cause }

func (m *Middleware) openNative(task string, arg tasks.Arg, text string) (tasks.Arg, error) {
	header, err := envelope.Parse(text)
	if err != nil || nativeTypes[header.Type] == nil {
		return arg, nil
	}
	started := m.now()
	value, err := m.registry.UnmarshalAny(context.Background(), text)
	switch {
	case err != nil && (len(header.Encoding) > 0 || header.Ref != "" || errors.Is(err, envelope.ErrUnencrypted)):
		return arg, err
	case err != nil:
		return arg, nil // a text
	}
	m.report(context.Background(), Observer.Restored, Observation{
		Task: task, Type: header.Type, Bytes: len(text), Duration: since(started),
	})
	return tasks.Arg{Name: arg.Name, Type: header.Type, Value: decoded(reflect.ValueOf(value))}, nil
}

// decoded returns a value as encoding/json decodes it with UseNumber, which is
// the form that Machinery reflects. NaN, which JSON has not, stays a float64.
func decoded(v reflect.Value) any {
	switch {
	case isInteger(v.Kind()):
		return json.Number(fmt.Sprint(v.Interface()))
	case isNumber(v.Kind()):
		return v.Float()
	case v.Kind() != reflect.Slice:
		return v.Interface()
	}
	elements := make([]any, v.Len())
	for i := range elements {
		elements[i] = decoded(v.Index(i))
	}
	return elements
}
