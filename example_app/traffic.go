package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// traffic counts the envelopes that the middleware writes and opens in this process, by the types in them. It is a
// middleware.Observer.
type traffic struct {
	mutex sync.Mutex
	types map[string]typeTraffic
}

// typeTraffic is that of one type.
type typeTraffic struct {
	name   string
	sent   envelopeCount
	opened envelopeCount
	// took is how long it took to write and open the envelopes.
	took time.Duration
}

// envelopeCount counts envelopes and their bytes.
type envelopeCount struct{ envelopes, bytes int }

func (t *envelopeCount) add(bytes int) {
	t.envelopes++
	t.bytes += bytes
}

// Sent implements middleware.Observer.
func (t *traffic) Sent(_ context.Context, o middleware.Observation) {
	t.count(o, func(c *typeTraffic) { c.sent.add(o.Bytes) })
}

// Restored implements middleware.Observer.
func (t *traffic) Restored(_ context.Context, o middleware.Observation) {
	t.count(o, func(c *typeTraffic) { c.opened.add(o.Bytes) })
}

// Failed implements middleware.Observer. A run that fails says so by itself.
func (t *traffic) Failed(context.Context, middleware.Observation) {}

func (t *traffic) count(o middleware.Observation, add func(*typeTraffic)) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	counted := t.types[o.Type]
	counted.name = o.Type
	counted.took += o.Duration
	add(&counted)
	if t.types == nil {
		t.types = make(map[string]typeTraffic)
	}
	t.types[o.Type] = counted
}

// byBytes lists the types, the one with the most bytes first.
func (t *traffic) byBytes() []typeTraffic {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return slices.SortedFunc(maps.Values(t.types), func(a, b typeTraffic) int {
		return cmp.Or(cmp.Compare(b.sent.bytes+b.opened.bytes, a.sent.bytes+a.opened.bytes), cmp.Compare(a.name, b.name))
	})
}
