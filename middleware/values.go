package middleware

import (
	"context"
	"reflect"
	"sync"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware/internal/native"
)

// A packer puts values in envelopes.
type packer struct {
	knownTypes
	reporter *reporter
	// zeroNoted has the tasks of which noteZero has told.
	zeroNoted sync.Map
	// keeps reports whether a value of Machinery's own types comes back unaltered from where it is kept. It is nil
	// where all do.
	keeps func(value any) bool
}

// asSent returns v as it travels, with the name of the type that Machinery shall take it for: what the scope leaves to
// Machinery as it is, everything else, and what Machinery would alter, in an envelope.
func (p *packer) asSent(ctx context.Context, task string, s scope, v any) (string, any, error) {
	if err := p.registry.Err(); err != nil {
		return "", nil, err
	}
	if v != nil {
		if value, ok := p.native(s, reflect.ValueOf(v)); ok && (p.keeps == nil || p.keeps(value)) {
			return reflect.TypeOf(value).String(), value, nil
		}
	}
	text, err := p.pack(ctx, task, p.unnamed(s, v))
	if err != nil {
		return "", nil, err
	}
	return "string", text, nil
}

// unnamed returns v without the name of its type where that would not travel if Machinery carried it.
func (p *packer) unnamed(s scope, v any) any {
	if s != scopeAll && p.keeps == nil || v == nil {
		return v
	}
	if value, ok := p.native(scopeNeeded, reflect.ValueOf(v)); ok {
		return value
	}
	return v
}

// native returns v as Machinery carries it, unless it must travel in an envelope: a string that looks like one would be
// opened as one, and a type that the registry knows by name would lose it.
func (p *packer) native(s scope, v reflect.Value) (any, bool) {
	if s == scopeAll || s == scopeSlices && v.Kind() == reflect.Slice || p.keepsName(v.Type()) {
		return nil, false
	}
	value, ok := native.Value(v)
	if !ok {
		return nil, false
	}
	if text, isText := value.(string); isText && envelope.Is(text) {
		return nil, false
	}
	return value, true
}

// pack puts a value that a task takes or returns in an envelope.
func (p *packer) pack(ctx context.Context, task string, v any) (string, error) {
	started := p.reporter.now()
	text, err := p.registry.Marshal(ctx, v)
	if p.reporter.observer != nil {
		p.reporter.report(ctx, Observer.Sent, Observation{
			Task: task, Type: p.typeName(reflect.TypeOf(v)), Bytes: len(text), Duration: since(started), Err: err,
		})
	}
	return text, err
}
