package middleware

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware/internal/native"
)

// openForPlain opens, for a task that was registered past the middleware, the envelopes that a middleware has put
// around values of Machinery's own types (a nil slice from a wrapped task, NaN, or a text that looks like an envelope)
// and of types with a name that are defined as one of those. The task gets what it would get without the middleware.
// Other envelopes, and those of producers without the middleware, are texts to it.
//
// It returns why one cannot be opened, and makes Machinery fail the task by a type that is none.
func (u *unpacker) openForPlain(d *delivery) (err error) {
	s := d.signature
	if s.Headers[FormatHeader] == nil {
		return nil
	}
	s.Args = slices.Clone(s.Args)
	for i, arg := range s.Args {
		text, ok := arg.Value.(string)
		if !ok || arg.Type != "string" || !envelope.Is(text) {
			continue
		}
		opened, openErr := u.openNative(s.Name, arg, text)
		if openErr != nil && err == nil {
			err = fmt.Errorf("task %q: argument %s: %w", s.Name, describe(arg, i), openErr)
			opened.Type = unopenedPrefix + openErr.Error() + ")"
		}
		if s.Args[i] = opened; opened.Value != arg.Value {
			d.noteOpened(i)
		}
	}
	return err
}

// unopenedPrefix begins the name of the type that is none.
const unopenedPrefix = "an envelope ("

// An unopenedError is Machinery's failure of a task because of an envelope that cannot be opened. Its text is
// Machinery's.
type unopenedError struct {
	error
	cause error
}

// Unwrap returns Machinery's error, and why the envelope cannot be opened.
func (e *unopenedError) Unwrap() []error { return []error{e.error, e.cause} }

func (u *unpacker) openNative(task string, arg tasks.Arg, text string) (tasks.Arg, error) {
	if name, ok := writtenType(text); ok && !u.isOfBase(name) {
		u.noteText(task, text)
		return arg, nil
	}
	header, err := envelope.Parse(text)
	if err != nil {
		return arg, nil
	}
	if !u.isOfBase(header.Type) {
		u.noteType(task, header.Type)
		return arg, nil
	}
	started := u.reporter.now()
	value, err := u.registry.UnmarshalAny(context.Background(), text)
	switch {
	case err != nil && (len(header.Encoding) > 0 || header.Ref != "" || errors.Is(err, envelope.ErrUnencrypted)):
		return arg, err
	case err != nil:
		return arg, nil // a text
	}
	u.reporter.report(context.Background(), Observer.Restored, Observation{
		Task: task, Type: header.Type, Bytes: len(text), Duration: since(started),
	})
	base, err := native.Assign(reflect.ValueOf(value), native.Erased(reflect.TypeOf(value)))
	if err != nil {
		return arg, err
	}
	return tasks.Arg{Name: arg.Name, Type: base.Type().String(), Value: native.Decoded(base)}, nil
}
