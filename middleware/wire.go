package middleware

import (
	"context"
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// A form says what travels as Machinery carries it, and what in an envelope.
type form int

const (
	// nativeForm leaves base values and slices of them to Machinery.
	nativeForm form = iota
	// sliceForm puts slices in envelopes, which are restored much faster. Both
	// ends must know the middleware.
	sliceForm
	// allForm puts everything in envelopes.
	allForm
)

// wireValue returns v as it travels, with the name of the type that Machinery
// shall take it for: what the form leaves to Machinery as it is, everything
// else, and what Machinery would alter, in an envelope.
func (m *Middleware) wireValue(ctx context.Context, task string, f form, v any) (string, any, error) {
	if v != nil {
		if native, ok := m.native(f, reflect.ValueOf(v)); ok {
			return reflect.TypeOf(native).String(), native, nil
		}
	}
	text, err := m.pack(ctx, task, m.erased(f, v))
	if err != nil {
		return "", nil, err
	}
	return "string", text, nil
}

// erased returns v without the name of its type where that would not travel if
// Machinery carried it.
func (m *Middleware) erased(f form, v any) any {
	if f != allForm || v == nil {
		return v
	}
	if native, ok := m.native(nativeForm, reflect.ValueOf(v)); ok {
		return native
	}
	return v
}

// native returns v as Machinery carries it, unless it must travel in an
// envelope: a string that looks like one would be opened as one, and a
// converter decides by itself what of its type may travel.
func (m *Middleware) native(f form, v reflect.Value) (any, bool) {
	if f == allForm || f == sliceForm && v.Kind() == reflect.Slice || m.registry.HasConverter(v.Type()) {
		return nil, false
	}
	native, ok := nativeValue(v)
	if !ok {
		return nil, false
	}
	if text, isText := native.(string); isText && envelope.Is(text) {
		return nil, false
	}
	return native, true
}
