package redisadapter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

const (
	defaultStorePrefix = "machinery:payload:"
	defaultStoreExpiry = 7 * 24 * time.Hour
	defaultStoreLimit  = 64 << 20
)

// refPrefix begins a reference; the digest follows in 64 lower-case hexadecimal digits.
const refPrefix = "sha256:"

// StoreOption changes how a store works. One that cannot be meant is an ErrConfig of Put and Get.
type StoreOption func(*Store) error

// WithStorePrefix sets what the keys of payloads begin with (default machinery:payload:). All who send and receive
// them have to agree about it.
func WithStorePrefix(prefix string) StoreOption {
	return func(s *Store) error {
		s.prefix = prefix
		return nil
	}
}

// WithStoreExpiry sets for how long a payload is kept after it was last put in (default 7 days; zero keeps it for
// ever). A task whose payload is gone cannot run, and a result cannot be read. So it has to be longer than all of
// these together: the longest delay until an ETA, the longest wait in a queue, the pauses between all retries, the time
// that dead letters may wait to be replayed, and, for results, ResultsExpireIn.
func WithStoreExpiry(expiry time.Duration) StoreOption {
	return func(s *Store) error {
		if expiry < 0 {
			return invalid(fmt.Sprintf("WithStoreExpiry(%v)", expiry), "it must not be negative")
		}
		s.expiry = expiry
		return nil
	}
}

// WithStoreLimit sets how many bytes a payload may have (default 64 MiB; Redis takes 512 MiB unless configured
// otherwise).
func WithStoreLimit(bytes int) StoreOption {
	return func(s *Store) error {
		if bytes < 1 {
			return invalid(fmt.Sprintf("WithStoreLimit(%d)", bytes), "it must be at least 1")
		}
		s.limit = bytes
		return nil
	}
}

// Store keeps payloads in Redis that are too large for a queue. It is an envelope.Store.
//
// A payload lies under the SHA-256 digest of its content, so the same payload is kept once, and one that was changed is
// found out when it is read. Whoever can read Redis can read it: encrypt what must stay secret (envelope.EncryptAll).
type Store struct {
	client redis.UniversalClient
	prefix string
	expiry time.Duration
	limit  int
	// invalid is what is wrong with the options.
	invalid error
}

var _ envelope.Store = (*Store)(nil)

// NewStore returns a store. It may share its client with a broker and a backend, and never closes it. Give Redis enough
// memory for all payloads that have not expired, and no eviction policy that takes keys before their time.
func NewStore(client redis.UniversalClient, opts ...StoreOption) *Store {
	s := &Store{client: client, prefix: defaultStorePrefix, expiry: defaultStoreExpiry, limit: defaultStoreLimit}
	for _, option := range opts {
		s.invalid = errors.Join(s.invalid, option(s))
	}
	return s
}

// Put keeps a payload and returns its reference. One that is there already is written again: its expiry starts anew,
// and what somebody may have put in its place is gone. While Redis cannot be reached it tries again for 15 s, and while
// ctx lasts. It returns envelope.ErrLimit for a payload over the limit, and else the client's errors, wrapped.
func (s *Store) Put(ctx context.Context, data []byte) (ref string, err error) {
	if s.invalid != nil {
		return "", s.invalid
	}
	if len(data) > s.limit {
		return "", fmt.Errorf("store payload: %w: it has %d bytes, %d are allowed: see redisadapter.WithStoreLimit",
			envelope.ErrLimit, len(data), s.limit)
	}
	digest := sha256.Sum256(data)
	name := hex.EncodeToString(digest[:])
	err = retry(ctx, defaultRetryTimeout, func() error {
		return s.client.Set(ctx, s.prefix+name, data, s.expiry).Err()
	})
	if err != nil {
		return "", fmt.Errorf("store payload: %w", err)
	}
	return refPrefix + name, nil
}

// boundedGet answers with the length of a value that is too long, instead of the value.
var boundedGet = redis.NewScript(`
local length = redis.call('STRLEN', KEYS[1])
if length > tonumber(ARGV[1]) then
  return length
end
return redis.call('GET', KEYS[1])
`)

// Get returns the payload that Put gave the reference for. While Redis cannot be reached it tries again for 15 s, and
// while ctx lasts. It returns envelope.ErrMissingPayload where there is none any more, envelope.ErrMalformed for what
// is no reference of a store and for a payload that was changed, envelope.ErrLimit for one of more than limit bytes,
// which Redis then does not send, and else the client's errors, wrapped.
func (s *Store) Get(ctx context.Context, ref string, limit int) ([]byte, error) {
	if s.invalid != nil {
		return nil, s.invalid
	}
	digest, err := parseRef(ref)
	if err != nil {
		return nil, err
	}
	var reply any
	err = retry(ctx, defaultRetryTimeout, func() (err error) {
		reply, err = boundedGet.Run(ctx, s.client, []string{s.prefix + hex.EncodeToString(digest[:])}, limit).Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("fetch payload: %w: it has expired (see redisadapter.WithStoreExpiry) or was evicted",
			envelope.ErrMissingPayload)
	}
	if isWrongType(err) {
		return nil, fmt.Errorf("fetch payload: %w: %w", envelope.ErrMalformed, err)
	}
	if err != nil {
		return nil, fmt.Errorf("fetch payload: %w", err)
	}
	if length, tooLong := reply.(int64); tooLong {
		return nil, fmt.Errorf("fetch payload: %w: it has %d bytes, %d are allowed", envelope.ErrLimit, length, limit)
	}
	data := []byte(text(reply))
	if sha256.Sum256(data) != digest {
		return nil, fmt.Errorf("fetch payload: %w: it is not what was stored", envelope.ErrMalformed)
	}
	return data, nil
}

// parseRef accepts what Put returns and nothing else: a reference comes from a message, and must lead to no other key.
func parseRef(ref string) (digest [sha256.Size]byte, err error) {
	digits, found := strings.CutPrefix(ref, refPrefix)
	if !found || len(digits) != hex.EncodedLen(len(digest)) || strings.ToLower(digits) != digits {
		return digest, fmt.Errorf("fetch payload: %w: no reference of this store", envelope.ErrMalformed)
	}
	if _, err := hex.Decode(digest[:], []byte(digits)); err != nil {
		return digest, fmt.Errorf("fetch payload: %w: no reference of this store", envelope.ErrMalformed)
	}
	return digest, nil
}
