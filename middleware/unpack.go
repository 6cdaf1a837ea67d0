package middleware

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware/internal/native"
)

// An unpacker takes values out of envelopes, and makes them of what Machinery carried by itself.
type unpacker struct {
	knownTypes
	reporter *reporter
	// textNoted has the tasks of which noteText has told.
	textNoted sync.Map
}

// unpack restores a value of type t that a task takes or returns. One that Machinery carried by itself is news only if
// it does not fit.
func (u *unpacker) unpack(ctx context.Context, task string, arg tasks.Arg, t reflect.Type) (reflect.Value, error) {
	started := u.reporter.now()
	text := u.envelopeFor(t, arg)
	v, err := u.restoreFrom(ctx, task, text, arg, t)
	if u.reporter.observer == nil {
		return v, err
	}
	took := since(started)
	if text != "" || err != nil {
		u.reporter.report(ctx, Observer.Restored, Observation{
			Task: task, Type: u.typeName(typeOf(v, t)), Bytes: len(text), Duration: took, Err: err,
		})
	}
	return v, err
}

// restore makes a Go value of type t of an argument or result as it has travelled.
func (u *unpacker) restore(ctx context.Context, task string, arg tasks.Arg, t reflect.Type) (reflect.Value, error) {
	return u.restoreFrom(ctx, task, u.envelopeFor(t, arg), arg, t)
}

// restoreFrom is restore where it is known what envelopeFor returns.
func (u *unpacker) restoreFrom(ctx context.Context, task, packed string, arg tasks.Arg, t reflect.Type) (reflect.Value, error) {
	if text, ok := arg.Value.(string); ok && t == errorType {
		return u.restoreError(ctx, text)
	}
	if packed != "" {
		return u.open(ctx, packed, t)
	}
	value, err := native.Parse(arg)
	if err != nil {
		return reflect.Value{}, err
	}
	open := u.opener(ctx, inTheClear)
	if value.Kind() == reflect.String {
		return u.assignText(task, value, t, open)
	}
	return u.assign(value, t, open)
}

// assignText makes a value of type t of a text that has come without an envelope: one that writes itself as a text,
// such as a uuid.UUID, reads it too.
func (u *unpacker) assignText(task string, text reflect.Value, t reflect.Type, open opener) (reflect.Value, error) {
	v, err := u.assign(text, t, open)
	if err == nil && envelope.Is(text.String()) {
		u.noteText(task, text.String())
	}
	if err == nil || u.isRegistered(t) {
		return v, err
	}
	element := t
	if t.Kind() == reflect.Pointer {
		element = t.Elem()
	}
	target := reflect.New(element)
	reader, ok := target.Interface().(encoding.TextUnmarshaler)
	if !ok {
		return v, err
	}
	if err := u.registry.CheckFits(stringType, element); errors.Is(err, envelope.ErrUnencrypted) {
		return v, err // it holds a type that has to be encrypted
	}
	if err := reader.UnmarshalText([]byte(text.String())); err != nil {
		return v, fmt.Errorf("%w: the text is not that of a %s", envelope.ErrTypeMismatch, element)
	}
	if t.Kind() == reflect.Pointer {
		return target.Convert(t), nil
	}
	return target.Elem(), nil
}

// envelopeFor returns the envelope that a value of type t is restored from, or "" where the argument is none.
func (u *unpacker) envelopeFor(t reflect.Type, arg tasks.Arg) string {
	text, ok := arg.Value.(string)
	if !ok || !envelope.Is(text) || !u.opens(text, t) {
		return ""
	}
	return text
}

// opens reports whether a value of type t may be restored from an envelope. Where the receiver wants a string of a type
// that is not registered, a text that looks like an envelope is just a text, unless it is the envelope of a string, which
// is how the middleware protects a user's text on sending, of nil, or of a type that the registry knows and that is a
// string.
func (u *unpacker) opens(text string, t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.String || u.isRegistered(t) {
		return true
	}
	if written, ok := writtenType(text); ok && !u.mayBeText(written) {
		return false
	}
	header, err := envelope.Parse(text)
	if err != nil || !u.mayBeText(header.Type) {
		return false
	}
	return strings.TrimPrefix(header.Type, "*") != "any" || mayBeNull(header)
}

// mayBeText reports whether the envelope of a value of that type may be one of a string, or of nil.
func (u *unpacker) mayBeText(expression string) bool {
	name := strings.TrimPrefix(expression, "*")
	if name == "any" {
		return true
	}
	named := u.registry.TypeNamed(name)
	return named != nil && named.Kind() == reflect.String
}

// headerStart is how the envelopes begin that a registry writes, up to the name of the type.
const headerStart = `{"$envelope":1,"type":"`

// writtenType returns the type that an envelope names which begins as a registry writes it. It costs next to nothing, where
// Parse reads the whole text; only Parse knows whether the text is an envelope at all.
func writtenType(text string) (name string, ok bool) {
	rest, found := strings.CutPrefix(text, headerStart)
	if !found {
		return "", false
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r == '"' || r == '\\' || r < ' ' || r >= utf8.RuneSelf })
	if end < 0 || rest[end] != '"' {
		return "", false
	}
	return rest[:end], true
}

// mayBeNull reports whether the data of an envelope is null, or was encoded, so that it does not show.
func mayBeNull(header envelope.Envelope) bool {
	return len(header.Encoding) > 0 || string(header.Data()) == "null"
}

// open makes a value of type t of an envelope. Where no string is wanted it also opens one that was taken for a user's
// text on the way, and put in an envelope a second time: that happens when the headers of a signature are replaced.
func (u *unpacker) open(ctx context.Context, text string, t reflect.Type) (reflect.Value, error) {
	target := reflect.New(t)
	err := u.registry.Unmarshal(ctx, text, target.Interface())
	if err == nil {
		return target.Elem(), nil
	}
	var inner string
	if t.Kind() != reflect.Interface && u.registry.Unmarshal(ctx, text, &inner) == nil && envelope.Is(inner) {
		return u.open(ctx, inner, t)
	}
	return u.openConverted(ctx, text, t, err)
}

// typeOf returns the type of what was restored for a parameter of type t: where that is an interface, the envelope has
// chosen among the registered types.
func typeOf(v reflect.Value, t reflect.Type) reflect.Type {
	if t.Kind() != reflect.Interface || !v.IsValid() || v.IsNil() {
		return t
	}
	return v.Elem().Type()
}
