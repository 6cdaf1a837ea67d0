package middleware

import (
	"context"
	"errors"
	"maps"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// Carrier is what a Propagator writes to and reads from: the headers of a task. It has the methods of OpenTelemetry's
// propagation.TextMapCarrier.
type Carrier interface {
	// Get returns the value of a key, or "" if there is none, or none that is a string.
	Get(key string) string
	// Set stores a value under a key, for the task that is being sent alone.
	Set(key, value string)
	// Keys lists the keys that Get has values for, in no order.
	Keys() []string
}

// A Propagator carries values of a context over to where a task runs: a trace, a tenant, a locale. It is called by many
// goroutines at the same time.
//
// Package otelmiddleware has one for OpenTelemetry's formats.
type Propagator interface {
	// Inject writes the values that ctx has to the carrier. What ctx does not have it leaves as it is: a worker sends
	// retries and callbacks without a context, and they keep the values that they came with.
	Inject(ctx context.Context, carrier Carrier)
	// Extract returns ctx with the values that the carrier has. They were written by whoever sent the message, so it
	// must put up with any.
	Extract(ctx context.Context, carrier Carrier) context.Context
}

// WithPropagator sends values of the sender's context along with every task, its callbacks and the tasks after it in a
// chain. Tasks that were registered through the middleware find them in their context, and so do their converters.
//
// Machinery's SendTask and SendChain know no context, and its SendChainWithContext drops the one it gets: send with
// Middleware.SendTask, SendTasks, SendChain, SendGroup and SendChord.
func WithPropagator(p Propagator) Option {
	return func(s *settings) error {
		if p == nil {
			return errors.New("WithPropagator needs a propagator")
		}
		s.propagator = p
		return s.once("WithPropagator")
	}
}

// inject writes the values of the context of a send to the headers of s, whose map is its own.
func inject(ctx context.Context, p Propagator, s *tasks.Signature) {
	if p != nil {
		p.Inject(ctx, ownHeaders{headers{s}})
	}
}

// extract returns the context of a task with the values that came with it.
func extract(ctx context.Context, p Propagator, s *tasks.Signature) context.Context {
	if p == nil || s == nil {
		return ctx
	}
	return p.Extract(ctx, headers{s})
}

// headers is the Carrier of a signature. It leaves out those that are no strings: Machinery and its brokers put them
// there, or a hostile sender.
type headers struct{ signature *tasks.Signature }

func (h headers) Get(key string) string {
	value, _ := h.signature.Headers[key].(string)
	return value
}

func (h headers) Set(key, value string) { setHeader(h.signature, key, value) }

func (h headers) Keys() []string {
	keys := make([]string, 0, len(h.signature.Headers))
	for key, value := range h.signature.Headers {
		if _, ok := value.(string); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// ownHeaders is the Carrier of a signature whose map of headers is its own.
type ownHeaders struct{ headers }

func (h ownHeaders) Set(key, value string) { setOwnHeader(h.signature, key, value) }

// setHeader sets a header of s. The map that s came with may be shared with signatures that are being sent at the same
// time: it stays as it is.
func setHeader(s *tasks.Signature, key, value string) {
	if s.Headers[key] == value {
		return
	}
	s.Headers = maps.Clone(s.Headers)
	setOwnHeader(s, key, value)
}

// setOwnHeader sets a header of s, whose map no other signature has: packing gives each signature one of its own.
func setOwnHeader(s *tasks.Signature, key, value string) {
	if s.Headers == nil {
		s.Headers = tasks.Headers{}
	}
	s.Headers[key] = value
}
