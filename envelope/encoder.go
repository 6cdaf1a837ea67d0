package envelope

import (
	"context"
	"reflect"
	"sync"
)

const (
	// Buffers that grew larger than this are not kept for the next call.
	keptBuffer = 1 << 20
	// Values nested deeper than this are watched for cycles.
	watchedDepth = 64
)

// An encoder is the state of one Marshal call.
type encoder struct {
	ctx      context.Context
	catalog  *catalog
	settings *settings
	buf      []byte
	depth    int
	elements int
	// ancestors are the deeper values that contain the current one.
	ancestors map[ancestor]struct{}
}

// An ancestor identifies a pointer, slice or map by what it refers to.
type ancestor struct {
	goType  reflect.Type
	address uintptr
	length  int
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

func newEncoder(ctx context.Context, r *Registry) *encoder {
	e := encoders.Get().(*encoder)
	*e = encoder{ctx: ctx, catalog: r.catalog.Load(), settings: &r.settings, buf: e.buf[:0]}
	return e
}

func (e *encoder) release() {
	if cap(e.buf) > keptBuffer {
		e.buf = nil
	}
	*e = encoder{buf: e.buf}
	encoders.Put(e)
}

// enter goes one level deeper.
func (e *encoder) enter() error {
	e.depth++
	if e.depth > e.settings.maxDepth {
		return limited("MaxDepth", e.settings.maxDepth)
	}
	if len(e.buf) > e.settings.maxBytes {
		return limited("MaxBytes", e.settings.maxBytes)
	}
	return nil
}

func (e *encoder) leave() { e.depth-- }

// open goes one level deeper, into so many elements.
func (e *encoder) open(elements int) error {
	if err := e.enter(); err != nil {
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

func (e *encoder) null() { e.buf = append(e.buf, "null"...) }

// isNull tells whether what was written since start is null.
func (e *encoder) isNull(start int) bool { return string(e.buf[start:]) == "null" }

// addressable returns v, or a copy of it that plans can take the address of.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() || v.Kind() == reflect.Pointer {
		return v
	}
	copied := reflect.New(v.Type()).Elem()
	copied.Set(v)
	return copied
}
