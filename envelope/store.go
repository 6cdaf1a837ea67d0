package envelope

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

var (
	// ErrMissingPayload: an envelope refers to a payload that its [Store] does not have, or no longer.
	ErrMissingPayload = errors.New("payload is missing")
	// ErrUnavailable: the [Store] failed for a reason of its own; the same call may succeed later.
	ErrUnavailable = errors.New("payload store is not available")
)

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

// WithStore keeps payloads of more than threshold bytes, after all encodings, in the store, and writes a reference to
// them in their envelopes. Reading an envelope then asks the store, with the context of the call; the errors of the
// store can be found with errors.Is, those that [Store] does not name as ErrUnavailable too. Its references have to be
// "sha256:" and the 64 lower-case hexadecimal digits of the payload's hash. Nothing is kept if Marshal fails for
// another reason. With a nil store or a negative threshold, or given twice, every [Register] returns ErrRegistration.
func WithStore(store Store, threshold int) Option {
	return func(s *settings) {
		if store == nil || threshold < 0 {
			s.fail(faults.Newf(ErrRegistration, "WithStore got a nil store or a negative threshold"))
		}
		s.once("WithStore")
		s.store, s.threshold = store, threshold
	}
}

// stores reports whether a payload of so many bytes goes to the store.
func (s *settings) stores(size int) bool { return s.store != nil && size > s.threshold }

func storeFailed(err error) error {
	for _, lasting := range []error{ErrMissingPayload, ErrMalformed, ErrLimit} {
		if errors.Is(err, lasting) {
			return fmt.Errorf("payload store: %w", err)
		}
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

const refPrefix = "sha256:"

// isRef reports whether a reference is sha256: and 64 lower-case hexadecimal digits.
func isRef(ref string) bool {
	hash, ok := strings.CutPrefix(ref, refPrefix)
	return ok && len(hash) == 64 && strings.Trim(hash, "0123456789abcdef") == ""
}
