package redisadapter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/common"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// defaultCallbackTimeout is less than the default heartbeat timeout, after which the tasks of a dead worker run again.
const defaultCallbackTimeout = 10 * time.Second

// defaultRetryTimeout outlasts a restart of Redis and most failovers.
const defaultRetryTimeout = 15 * time.Second

// defaultChordExpiry is for members that wait in a long queue, or are retried for days.
const defaultChordExpiry = 7 * 24 * time.Hour

// BackendOption changes how a backend works. One that cannot be meant is an ErrConfig of every method of the backend.
type BackendOption interface {
	applyToBackend(*backendSettings) error
}

// backendSettings are what options change.
type backendSettings struct {
	retryTimeout         time.Duration
	callbackTimeout      time.Duration
	chordExpiry          time.Duration
	withoutNotifications bool
	logger               *slog.Logger
	// invalid is what is wrong with the options.
	invalid error
}

func newBackendSettings(opts []BackendOption) backendSettings {
	s := backendSettings{
		retryTimeout:    defaultRetryTimeout,
		callbackTimeout: defaultCallbackTimeout,
		chordExpiry:     defaultChordExpiry,
		logger:          middleware.MachineryLogger(),
	}
	for _, option := range opts {
		s.invalid = errors.Join(s.invalid, option.applyToBackend(&s))
	}
	return s
}

type backendOption func(*backendSettings) error

func (o backendOption) applyToBackend(s *backendSettings) error { return o(s) }

// WithRetryTimeout sets for how long a call is repeated while Redis cannot be reached (default 15 s), before it returns
// the error. What a worker writes before it sends a callback is repeated until the worker stops. Zero leaves it at what
// the client retries. Reading a single state is not repeated: who waits for it asks again.
func WithRetryTimeout(timeout time.Duration) BackendOption {
	return backendOption(func(s *backendSettings) error {
		if timeout < 0 {
			return invalid(fmt.Sprintf("WithRetryTimeout(%v)", timeout), "it must not be negative")
		}
		s.retryTimeout = timeout
		return nil
	})
}

// WithCallbackTimeout sets how long the worker that is to send the callback of a chord may take for it (default 10 s).
// When a member of the chord is run again after that, and no worker has received the callback, it is sent again.
func WithCallbackTimeout(timeout time.Duration) BackendOption {
	return backendOption(func(s *backendSettings) error {
		if timeout < 0 {
			return invalid(fmt.Sprintf("WithCallbackTimeout(%v)", timeout), "it must not be negative")
		}
		s.callbackTimeout = timeout
		return nil
	})
}

// WithChordExpiry sets how long the group of a chord and the states of its members are kept, each since it was last
// written, while not all members have ended (default 7 days). Where ResultsExpireIn is longer, that is the time; that of
// a delayed member counts from its ETA. No member may take longer to be begun, nor from its begin to its end, nor may
// the last one end so long after the first: the chord fails with ErrGroupGone then. The members of other groups have
// their states kept as long while they have not ended.
//
// It bounds how long one waits for a member, of a chord or another group, whose sender has died before it had sent all:
// when the states of the others have expired, Await returns middleware.ErrStateGone.
func WithChordExpiry(expiry time.Duration) BackendOption {
	return backendOption(func(s *backendSettings) error {
		if expiry < time.Second {
			return invalid(fmt.Sprintf("WithChordExpiry(%v)", expiry), "it must be at least a second")
		}
		s.chordExpiry = expiry
		return nil
	})
}

// WithoutNotifications leaves out the message that is published whenever a task ends: whoever waits for a task then
// learns of it at the next poll. A message that nobody waits for costs Redis next to nothing, but in a Redis Cluster
// every node gets it.
func WithoutNotifications() BackendOption {
	return backendOption(func(s *backendSettings) error {
		s.withoutNotifications = true
		return nil
	})
}

// backend implements Machinery's Backend. Machinery gives it no context: how long a call may take is up to the
// client's timeouts.
type backend struct {
	common.Backend
	client    redis.UniversalClient
	identity  any // of the client
	settings  backendSettings
	expiry    time.Duration // 0 is never
	notifier  notifier
	pipelines *pipelines
	alarms    *alarms
	unwritten unwrittenStates
	// paired is set while a broker with the same client publishes what the backend is told of as PENDING.
	paired atomic.Bool
	// failing is set while Redis does not answer.
	failing atomic.Bool
	groups  knownGroups
	ending  ending
	// failChordBy writes the FAILURE of a chord's callback; nil is SetStateFailure.
	failChordBy func(callback *tasks.Signature, reason string) error
}

// NewBackend returns a backend that keeps states and groups in Redis, where Machinery's own Redis backends keep them:
// as JSON under the UUID of the task or the group. It is a middleware.Notifier.
//
// Of cnf it uses ResultsExpireIn, the seconds after which a state or a group is forgotten unless written again
// (default config.DefaultResultsExpireIn, an hour; a negative number is never). What belongs to a chord is kept until
// all its members have ended, unless that takes longer than WithChordExpiry, and for ResultsExpireIn after that; the
// state of another group's member until that one has. A chord whose group is gone all the same fails with ErrGroupGone.
//
// States only move forward when a task is delivered twice: none but a new send takes the place of SUCCESS, and of
// FAILURE only that or SUCCESS. A chord's callback is sent once, and once more only where a worker died in between.
//
// Errors of its methods are ErrConfig or wrap those of the client: a task or a group that is not there, or no longer,
// is redis.Nil; the former is middleware.ErrStateGone too.
func NewBackend(cnf *config.Config, client redis.UniversalClient, opts ...BackendOption) backendsiface.Backend {
	shared := new(alarms)
	return &backend{
		Backend:   common.NewBackend(cnf),
		client:    client,
		identity:  identityOf(client),
		settings:  newBackendSettings(opts),
		expiry:    resultExpiry(cnf),
		notifier:  notifier{client: client},
		pipelines: newPipelines(client),
		alarms:    shared,
		unwritten: unwrittenStates{alarms: shared},
	}
}

// attempt does what must not fail for a short outage.
func (b *backend) attempt(operation func(context.Context) error) error {
	if b.settings.invalid != nil {
		return b.settings.invalid
	}
	ctx := context.Background()
	err := retry(ctx, b.settings.retryTimeout, func() error {
		err := operation(ctx)
		noteOutcome(b, err)
		return err
	})
	if isOutage(err) {
		return &outageError{err}
	}
	return err
}

// noteOutcome notes whether Redis answers. It writes only what has changed: all tasks of a process read it.
func noteOutcome(b *backend, err error) {
	failing := isOutage(err)
	if b.failing.Load() != failing {
		b.failing.Store(failing)
	}
}

func (b *backend) set(key string, value []byte) error {
	err := b.attempt(func(ctx context.Context) error { return b.client.Set(ctx, key, value, b.expiry).Err() })
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

func purge(b *backend, key string) error {
	err := b.attempt(func(ctx context.Context) error { return b.client.Del(ctx, key).Err() })
	if err != nil {
		return fmt.Errorf("purge %s: %w", key, err)
	}
	return nil
}
