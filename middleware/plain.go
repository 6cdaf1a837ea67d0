package middleware

import (
	"context"
	"encoding/json"
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
func (m *Middleware) openForPlain(s *tasks.Signature) {
	if s.Headers[FormatHeader] == nil {
		return
	}
	s.Args = slices.Clone(s.Args)
	for i, arg := range s.Args {
		if text, ok := arg.Value.(string); ok && envelope.Is(text) {
			s.Args[i].Type, s.Args[i].Value = m.openNative(s.Name, arg, text)
		}
	}
}

func (m *Middleware) openNative(task string, arg tasks.Arg, text string) (string, any) {
	header, err := envelope.Parse(text)
	if err != nil || nativeTypes[header.Type] == nil {
		return arg.Type, arg.Value
	}
	started := m.now()
	value, err := m.registry.UnmarshalAny(context.Background(), text)
	if err != nil {
		return arg.Type, arg.Value
	}
	m.report(context.Background(), Observer.Restored, Observation{
		Task: task, Type: header.Type, Bytes: len(text), Duration: since(started),
	})
	return header.Type, decoded(reflect.ValueOf(value))
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
