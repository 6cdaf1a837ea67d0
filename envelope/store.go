package envelope

import (
	"context"
	"errors"
)

// ErrMissingPayload: an envelope refers to a payload that its [Store] does not have, or no longer.
var ErrMissingPayload = errors.New("payload is missing")

// A Store keeps payloads outside the queue, where they are too large for it (the claim-check pattern). It is safe for
// concurrent use. Package redisadapter has one.
type Store interface {
	// Put keeps data until the store's expiry, which starts anew with every Put of the same data, and returns the
	// reference under which Get finds it. It must not change or keep data.
	Put(ctx context.Context, data []byte) (ref string, err error)
	// Get returns what Put was given, and nothing else: it verifies what it read. It returns ErrMissingPayload when
	// there is nothing under the reference, ErrMalformed when the reference is none of the store's or what is there was
	// tampered with, and ErrLimit, before it is read into memory, when that is longer than limit bytes.
	Get(ctx context.Context, ref string, limit int) ([]byte, error)
}
