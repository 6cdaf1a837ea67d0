package redisadapter

import (
	"context"
	"fmt"
	"time"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/common"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/go-redis/redis/v8"
)

// defaultCallbackTimeout is less than the time after which a worker that fell silent is taken for dead, and its tasks
// are run again.
const defaultCallbackTimeout = 10 * time.Second

// BackendOption changes how a backend works.
type BackendOption func(*backend)

// WithRetryTimeout sets for how long a call is repeated while Redis cannot be reached (default 15 s), before it returns
// the error. Machinery's worker lets go of some errors, such as that of a callback it could not send. Zero leaves it at
// what the client retries. Reading a single state is not repeated: who waits for it asks again.
func WithRetryTimeout(timeout time.Duration) BackendOption {
	return func(b *backend) { b.retryTimeout = timeout }
}

// WithCallbackTimeout sets how long the worker that is to send the callback of a chord may take for it (default 10 s).
// When a member of the chord is run again after that, and no worker has received the callback, it is sent again.
func WithCallbackTimeout(timeout time.Duration) BackendOption {
	return func(b *backend) { b.callbackTimeout = timeout }
}

// WithoutNotifications leaves out the message that is published whenever a task ends: whoever waits for a task then
// learns of it at the next poll. A message that nobody waits for costs Redis next to nothing, but in a Redis Cluster
// every node gets it.
func WithoutNotifications() BackendOption {
	return func(b *backend) { b.silent = true }
}

// backend implements Machinery's Backend. Machinery gives it no context: how long a call may take is up to the
// client's timeouts.
type backend struct {
	common.Backend
	client          redis.UniversalClient
	expiry          time.Duration
	retryTimeout    time.Duration
	callbackTimeout time.Duration
	silent          bool
	notifier        notifier
	received        received
}

// NewBackend returns a backend that keeps states and groups in Redis, where Machinery's own Redis backends keep them:
// as JSON under the UUID of the task or the group. It is a middleware.Notifier.
//
// Of cnf it uses ResultsExpireIn, the seconds after which a state or a group is forgotten unless written again
// (default config.DefaultResultsExpireIn, an hour).
//
// States only move forward when a task is delivered twice: none but a new send takes the place of SUCCESS, and of
// FAILURE only that or SUCCESS. A chord's callback is sent once, and once more only where a worker died in between.
//
// Errors of its methods wrap those of the client: a task or a group that is not there, or no longer, is redis.Nil.
func NewBackend(cnf *config.Config, client redis.UniversalClient, opts ...BackendOption) backendsiface.Backend {
	b := &backend{
		Backend:         common.NewBackend(cnf),
		client:          client,
		expiry:          resultExpiry(cnf),
		retryTimeout:    defaultRetryTimeout,
		callbackTimeout: defaultCallbackTimeout,
		notifier:        notifier{client: client},
	}
	for _, option := range opts {
		option(b)
	}
	return b
}

// attempt does what must not fail for a short outage.
func (b *backend) attempt(operation func(context.Context) error) error {
	ctx := context.Background()
	return retry(ctx, b.retryTimeout, func() error { return operation(ctx) })
}

func (b *backend) set(key string, value []byte) error {
	err := b.attempt(func(ctx context.Context) error { return b.client.Set(ctx, key, value, b.expiry).Err() })
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

func (b *backend) purge(key string) error {
	err := b.attempt(func(ctx context.Context) error { return b.client.Del(ctx, key).Err() })
	if err != nil {
		return fmt.Errorf("purge %s: %w", key, err)
	}
	return nil
}
