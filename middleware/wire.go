package middleware

import (
	"context"
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// wireValue returns v as it travels, with the name of the type that Machinery
// shall take it for: base values and slices of them as they are, everything
// else, and what Machinery would alter, in an envelope.
func (m *Middleware) wireValue(ctx context.Context, v any) (string, any, error) {
	if v != nil {
		if native, ok := m.nativeForm(reflect.ValueOf(v)); ok {
			return reflect.TypeOf(native).String(), native, nil
		}
	}
	text, err := m.registry.Marshal(ctx, v)
	if err != nil {
		return "", nil, err
	}
	return "string", text, nil
}

// nativeForm returns v as Machinery carries it, unless it must travel in an
// envelope: a string that looks like one would be opened as one, and a
// converter decides by itself what of its type may travel.
func (m *Middleware) nativeForm(v reflect.Value) (any, bool) {
	native, ok := nativeValue(v)
	if !ok || m.registry.HasConverter(v.Type()) {
		return nil, false
	}
	if text, isText := native.(string); isText && envelope.Is(text) {
		return nil, false
	}
	return native, true
}
