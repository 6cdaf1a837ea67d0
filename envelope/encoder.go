package envelope

import (
	"context"
	"reflect"
	"sync"
)

const (
	// Buffers that grew larger than this are not kept for the next call.
	keptBuffer = 4 << 20
	// Values nested deeper than this are watched for cycles.
	watchedDepth = 64
)

// An encoder is the state of one Marshal call.
type encoder struct {
	ctx      context.Context
	catalog  *catalog
	settings *settings
	depth    int
	elements int
	// encrypted is set when something that asks for encryption is found in an interface.
	encrypted bool
	// ancestors are the deeper values that contain the current one.
	ancestors map[ancestor]struct{}
}

// An ancestor identifies a pointer, slice or map by what it refers to.
type ancestor struct {
	goType  reflect.Type
	address uintptr
	length  int
}

// A pooledEncoder is an encoder with the buffer that it fills. Both are kept for the next call.
type pooledEncoder struct {
	encoder
	buf []byte
}

var encoders = sync.Pool{New: func() any { return new(pooledEncoder) }}

func newEncoder(ctx context.Context, r *Registry) *pooledEncoder {
	pooled := encoders.Get().(*pooledEncoder)
	pooled.encoder = encoder{ctx: ctx, catalog: r.catalog.Load(), settings: &r.settings}
	return pooled
}

// release keeps the encoder, and the buffer that it filled, for the next call.
func (p *pooledEncoder) release(buf []byte) {
	p.encoder = encoder{}
	if cap(buf) <= keptBuffer {
		p.buf = buf[:0]
	}
	encoders.Put(p)
}

// enter goes one level deeper, with so many bytes written.
func (e *encoder) enter(written int) error {
	e.depth++
	if e.depth > e.settings.maxDepth {
		return limited("MaxDepth", e.settings.maxDepth)
	}
	if written > e.settings.maxBytes {
		return limited("MaxBytes", e.settings.maxBytes)
	}
	return nil
}

func (e *encoder) leave() { e.depth-- }

// open goes one level deeper, into so many elements.
func (e *encoder) open(written, elements int) error {
	if err := e.enter(written); err != nil {
		return err
	}
	e.elements += elements
	if e.elements > e.settings.maxElements {
		return limited("MaxElements", e.settings.maxElements)
	}
	return nil
}

// visit refuses to go into a pointer, slice or map that contains itself. Near the root nothing is watched:
// what turns in circles gets deep.
func (e *encoder) visit(t reflect.Type, address uintptr, length int) error {
	if e.depth <= watchedDepth {
		return nil
	}
	if e.ancestors == nil {
		e.ancestors = map[ancestor]struct{}{}
	}
	current := ancestor{goType: t, address: address, length: length}
	if _, ok := e.ancestors[current]; ok {
		return unsupported("value contains itself")
	}
	e.ancestors[current] = struct{}{}
	return nil
}

// unvisit ends what visit began, at the same depth.
func (e *encoder) unvisit(t reflect.Type, address uintptr, length int) {
	if e.depth > watchedDepth {
		delete(e.ancestors, ancestor{goType: t, address: address, length: length})
	}
}

func appendNull(buf []byte) []byte { return append(buf, "null"...) }

// addressable returns v, or a copy of it that plans can take the address of.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() || v.Kind() == reflect.Pointer {
		return v
	}
	copied := reflect.New(v.Type()).Elem()
	copied.Set(v)
	return copied
}
