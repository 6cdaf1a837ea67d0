package redisadapter

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const (
	defaultHeartbeatTimeout = 30 * time.Second
	minHeartbeatTimeout     = 100 * time.Millisecond
	defaultMaxAttempts      = 10
	defaultFirstPause       = time.Second
	defaultLastPause        = time.Minute
	defaultPublishTimeout   = 30 * time.Second
	defaultStopTimeout      = 10 * time.Second
)

// BrokerOption changes how a broker works. One that cannot be meant is an ErrConfig of Publish and StartConsuming.
type BrokerOption interface {
	applyToBroker(*brokerSettings) error
}

// Option changes how a broker or a backend works.
type Option interface {
	BrokerOption
	BackendOption
}

// brokerSettings are what options change.
type brokerSettings struct {
	heartbeatTimeout time.Duration
	maxAttempts      int
	backoff          backoff.Policy
	publishTimeout   time.Duration
	maxMessage       int
	stopTimeout      time.Duration
	ownSenders       bool
	deadLetters      *DeadLetters // nil for those of each queue
	queues           []queueShare // nil for the default queue
	sharding         sharding
	priorities       bool
	logger           *slog.Logger
	// invalid is what is wrong with the options.
	invalid error
}

func newBrokerSettings(opts []BrokerOption) brokerSettings {
	s := brokerSettings{
		heartbeatTimeout: defaultHeartbeatTimeout,
		maxAttempts:      defaultMaxAttempts,
		backoff:          backoff.Policy{First: defaultFirstPause, Last: defaultLastPause, Jitter: true},
		publishTimeout:   defaultPublishTimeout,
		maxMessage:       delivery.DefaultMaxMessage,
		stopTimeout:      defaultStopTimeout,
		sharding:         newSharding(),
		logger:           middleware.MachineryLogger(),
	}
	for _, option := range opts {
		s.invalid = errors.Join(s.invalid, option.applyToBroker(&s))
	}
	return s
}

type brokerOption func(*brokerSettings) error

func (o brokerOption) applyToBroker(s *brokerSettings) error { return o(s) }

// WithHeartbeatTimeout sets for how long the broker's workers may be silent before others take them for dead and do
// their tasks (default 30 s, at least 100 ms). They say that they live four times as often, and with that what they
// run and how much they have done (see NewSource). After an outage of Redis, and at its own start, a worker gives the
// others that long to be heard of.
func WithHeartbeatTimeout(timeout time.Duration) BrokerOption {
	return brokerOption(func(s *brokerSettings) error {
		if timeout < minHeartbeatTimeout {
			return invalid(fmt.Sprintf("WithHeartbeatTimeout(%v)", timeout), "it must be at least 100ms")
		}
		s.heartbeatTimeout = timeout
		return nil
	})
}

// WithMaxAttempts sets how often a task is tried before it ends in the dead letters (default 10, at least 1). An
// attempt counts when processing returned an error, or when the worker died while it had the task. Failures and retries
// of the task itself are none: processing returns nil then. Nor are failures of the result backend.
func WithMaxAttempts(n int) BrokerOption {
	return brokerOption(func(s *brokerSettings) error {
		if n < 1 {
			return invalid(fmt.Sprintf("WithMaxAttempts(%d)", n), "it must be at least 1")
		}
		s.maxAttempts = n
		return nil
	})
}

// WithBackoff sets how long a task waits for its next attempt after processing returned an error: the pause doubles
// from the first to the last (default 1 s and 1 min), and varies at random by up to half of it, either way. Where the
// worker that tried it has ended by then, others may find it up to 20 s late.
func WithBackoff(first, last time.Duration) BrokerOption {
	return brokerOption(func(s *brokerSettings) error {
		policy := backoff.Policy{First: first, Last: last, Jitter: true}
		if err := policy.Check(); err != nil {
			return invalid(fmt.Sprintf("WithBackoff(%v, %v)", first, last), err.Error())
		}
		s.backoff = policy
		return nil
	})
}

// WithPublishTimeout sets for how long Publish tries again while Redis cannot be reached (default 30 s), before it
// returns the error. A context with an earlier deadline bounds it more. What belongs to a task that a worker of this
// package is processing, such as its callbacks, is tried until the worker stops.
func WithPublishTimeout(timeout time.Duration) BrokerOption {
	return brokerOption(func(s *brokerSettings) error {
		if timeout <= 0 {
			return invalid(fmt.Sprintf("WithPublishTimeout(%v)", timeout), "it must be positive")
		}
		s.publishTimeout = timeout
		return nil
	})
}

// MaxMessageOption changes how long a message may be, for a broker or dead letters.
type MaxMessageOption interface {
	BrokerOption
	DeadLettersOption
}

// WithMaxMessage sets how long a message may be, in bytes (default 64 MiB, at least 1: room for the longest envelope
// that a registry reads by default, with its quotes escaped). Publish returns envelope.ErrLimit for a longer one, and
// what arrives goes to the dead letters without being decoded. Beside that, and without an option, no message is
// decoded in which more than middleware.MaxNestedTasks tasks are nested, or which has as many arguments, objects and
// arrays and fewer than 16 bytes for each of them: it would take memory out of proportion.
//
// Dead letters given to WithDeadLetters need the same: a longer letter is listed without its Task, and not replayed.
// Those that a broker makes itself have what the broker has.
func WithMaxMessage(bytes int) MaxMessageOption { return maxMessage(bytes) }

type maxMessage int

func (m maxMessage) applyToBroker(s *brokerSettings) error { return m.set(&s.maxMessage) }

func (m maxMessage) applyToDeadLetters(d *DeadLetters) error { return m.set(&d.maxMessage) }

func (m maxMessage) set(target *int) error {
	if m < 1 {
		return invalid(fmt.Sprintf("WithMaxMessage(%d)", m), "it must be at least 1")
	}
	*target = int(m)
	return nil
}

// WithStopTimeout sets for how long a worker that stops waits for a Redis that does not answer, once its last task has
// ended (default 10 s, must be positive). After that others take over what it has left, as from a worker that died.
func WithStopTimeout(timeout time.Duration) BrokerOption {
	return brokerOption(func(s *brokerSettings) error {
		if timeout <= 0 {
			return invalid(fmt.Sprintf("WithStopTimeout(%v)", timeout), "it must be positive")
		}
		s.stopTimeout = timeout
		return nil
	})
}

// WithOwnSendersOnly says that whoever delays tasks sends them with a broker of this package, of this version or later,
// so that a worker hears of each and need not look for them every DelayedTasksPollPeriod: an idle one makes one request
// in two seconds instead of two in one. What another broker delays, a worker of Machinery that retries a task among
// them, may start up to 20 s late. An idle worker takes up to 6 s to stop. Where it may not subscribe to the channel
// machinery:sooner:<DelayedTasksKey>, or the connection is lost, it looks as often as without the option.
func WithOwnSendersOnly() BrokerOption {
	return brokerOption(func(s *brokerSettings) error {
		s.ownSenders = true
		return nil
	})
}

// WithDeadLetters keeps in letters what no worker can do: messages that are no tasks, and tasks that were tried too
// often. By default that is NewDeadLetters(client, DeadLettersKey(queue)), for each queue its own. A source shows them by
// inspect.WithDeadLetters.
func WithDeadLetters(letters *DeadLetters) BrokerOption {
	return brokerOption(func(s *brokerSettings) error {
		if letters == nil {
			return invalid("WithDeadLetters(nil)", "it needs dead letters")
		}
		s.deadLetters = letters
		return letters.invalid
	})
}

// WithLogger sets where a broker or a backend logs (default middleware.MachineryLogger()). Attributes are task, uuid,
// queue and error; what a task carries is never logged.
func WithLogger(logger *slog.Logger) Option { return loggerOption{logger} }

type loggerOption struct{ logger *slog.Logger }

func (o loggerOption) applyToBroker(s *brokerSettings) error { return o.set(&s.logger) }

func (o loggerOption) applyToBackend(s *backendSettings) error { return o.set(&s.logger) }

func (o loggerOption) set(target **slog.Logger) error {
	if o.logger == nil {
		return invalid("WithLogger(nil)", "it needs a logger")
	}
	*target = o.logger
	return nil
}
