package envelope

import (
	"context"
	"reflect"
	"sync"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

const (
	// Buffers that grew larger than this are not kept for the next call.
	keptBuffer = 4 << 20
	// Values nested deeper than this are checked for cycles.
	uncheckedDepth = 64
)

// An encoder is the state of one Marshal call.
type encoder struct {
	ctx      context.Context
	catalog  *catalog
	settings *settings
	nesting  jsontext.Nesting
	// encrypted is set when something that asks for encryption is found in an interface.
	encrypted bool
	// readBackBy has the plans that will read back the values that the current one stands in.
	readBackBy []*verifiedPlan
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
	pooled.encoder = encoder{
		ctx:      ctx,
		catalog:  r.catalog.Load(),
		settings: &r.settings,
		nesting:  r.settings.limits.nesting(),
	}
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
	if err := e.nesting.Enter(); err != nil {
		return err
	}
	return e.settings.limits.checkSize(written)
}

func (e *encoder) leave() { e.nesting.Leave() }

// leastPerElement is how many bytes an element takes at least: a digit and a comma.
const leastPerElement = 2

// open goes one level deeper, into so many elements.
func (e *encoder) open(written, elements int) error {
	return e.enter(written + leastPerElement*elements)
}

// visit refuses to go into a pointer, slice or map that contains itself. Near the root it does not look: a value that
// contains itself gets deeper than that.
func (e *encoder) visit(t reflect.Type, address uintptr, length int) error {
	if e.nesting.Depth() <= uncheckedDepth {
		return nil
	}
	if e.ancestors == nil {
		e.ancestors = map[ancestor]struct{}{}
	}
	current := ancestor{goType: t, address: address, length: length}
	if _, ok := e.ancestors[current]; ok {
		return faults.Unsupported("value contains itself: let its type travel as one that does not, by envelope.Convert(to, from)")
	}
	e.ancestors[current] = struct{}{}
	return nil
}

// unvisit ends what visit began, at the same depth.
func (e *encoder) unvisit(t reflect.Type, address uintptr, length int) {
	if e.nesting.Depth() > uncheckedDepth {
		delete(e.ancestors, ancestor{goType: t, address: address, length: length})
	}
}
