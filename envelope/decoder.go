package envelope

import (
	"context"
	"sync"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// A decoder is the state of one Unmarshal or Inspect call.
type decoder struct {
	ctx context.Context
	// resolver has the catalog.
	resolver
	settings *settings
	in       jsontext.Reader
	// encrypted reports whether the envelope is.
	encrypted bool
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

func newDecoder(ctx context.Context, r *Registry, text string) *decoder {
	d := decoders.Get().(*decoder)
	*d = decoder{
		ctx:      ctx,
		resolver: resolver{catalog: r.catalog.Load()},
		settings: &r.settings,
		in:       r.settings.limits.reader(text),
	}
	return d
}

// release keeps the decoder for the next call.
func (d *decoder) release() {
	*d = decoder{}
	decoders.Put(d)
}
