package amqpadapter

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const (
	defaultPublishTimeout = 30 * time.Second
	defaultStopTimeout    = 10 * time.Second
	defaultMaxAttempts    = 10
	defaultFirstPause     = time.Second
	defaultLastPause      = time.Minute
)

// reconnect makes the pauses between attempts to reach RabbitMQ.
var reconnect = backoff.Policy{First: 50 * time.Millisecond, Last: 5 * time.Second, Jitter: true}

// settings are what options change.
type settings struct {
	publishTimeout      time.Duration
	stopTimeout         time.Duration
	maxAttempts         int
	maxMessage          int
	backoff             backoff.Policy
	deadLetters         *DeadLetters
	rejectToDeadLetters bool
	queueType           string
	consumerTimeout     time.Duration
	logger              *slog.Logger
	// err joins an error for each option that cannot be meant.
	err error
}

func newSettings(opts []BrokerOption) settings {
	s := settings{
		publishTimeout: defaultPublishTimeout,
		stopTimeout:    defaultStopTimeout,
		maxAttempts:    defaultMaxAttempts,
		maxMessage:     delivery.DefaultMaxMessage,
		backoff:        backoff.Policy{First: defaultFirstPause, Last: defaultLastPause, Jitter: true},
		logger:         middleware.MachineryLogger(),
	}
	for _, option := range opts {
		option(&s)
	}
	return s
}

// refuse notes an option that cannot be meant.
func (s *settings) refuse(option string, why error) {
	s.err = errors.Join(s.err, fmt.Errorf("%w: %s: %w", ErrConfig, option, why))
}

var (
	errNotPositive = errors.New("it must be positive")
	errNil         = errors.New("it must not be nil")
	errNoTimeout   = errors.New("it must be at least a millisecond")
	errNoQueueType = errors.New("it must be quorum or classic")
)

// BrokerOption changes how a broker works. One whose values cannot be meant, such as WithMaxAttempts(0), makes Publish
// and StartConsuming return ErrConfig.
type BrokerOption func(*settings)

// WithPublishTimeout bounds how long Publish waits for RabbitMQ, all repetitions together (default 30 s; it may take a
// sixteenth longer). A context with an earlier deadline bounds it more.
func WithPublishTimeout(d time.Duration) BrokerOption {
	return withTimeout("WithPublishTimeout", d, func(s *settings) *time.Duration { return &s.publishTimeout })
}

// WithStopTimeout sets for how long a worker that stops waits for a RabbitMQ that does not answer, once its last task has
// ended (default 10 s, must be positive): to send what follows a task, to put a task back or to end its deliveries. After
// that RabbitMQ gives what the worker has left to others. Ending the connections takes up to a second more, or two where
// RabbitMQ falls silent only then. Where it does so just when the last task is put back, the worker waits so long twice.
func WithStopTimeout(d time.Duration) BrokerOption {
	return withTimeout("WithStopTimeout", d, func(s *settings) *time.Duration { return &s.stopTimeout })
}

func withTimeout(option string, d time.Duration, field func(*settings) *time.Duration) BrokerOption {
	return func(s *settings) {
		if d <= 0 {
			s.refuse(fmt.Sprintf("%s(%v)", option, d), errNotPositive)
			return
		}
		*field(s) = d
	}
}

// WithMaxAttempts sets how often a task is tried before it goes to the dead letters (default 10, at least 1). An
// attempt counts when Process returned an error, or when the worker was lost while it had the task: but not the first
// one that was lost, which RabbitMQ does not tell from one that had only been given the task. Failures and retries of
// the task itself are not counted: Process returns nil then.
func WithMaxAttempts(n int) BrokerOption {
	return func(s *settings) {
		if n < 1 {
			s.refuse(fmt.Sprintf("WithMaxAttempts(%d)", n), errNotPositive)
			return
		}
		s.maxAttempts = n
	}
}

// WithBackoff sets how long a task waits for its next attempt: first (default 1 s) after the first, twice as long after
// each further one, and last (default 1 min) at most. Each pause varies by up to half of it, at random.
func WithBackoff(first, last time.Duration) BrokerOption {
	return func(s *settings) {
		policy := backoff.Policy{First: first, Last: last, Jitter: true}
		if err := policy.Check(); err != nil {
			s.refuse(fmt.Sprintf("WithBackoff(%v, %v)", first, last), err)
			return
		}
		s.backoff = policy
	}
}

// WithMaxMessage sets how long a message may be, in bytes (default 64 MiB, at least 1: room for the longest envelope
// that a registry reads by default, with its quotes escaped; RabbitMQ has a limit of its own, max_message_size).
// Publish returns envelope.ErrLimit for a longer one, and what arrives goes to the dead letters without being decoded.
// Beside that, and without an option, no message is decoded in which more than middleware.MaxNestedTasks tasks are
// nested, or which has as many arguments, objects and arrays and fewer than 16 bytes for each of them: it would take
// memory out of proportion.
func WithMaxMessage(bytes int) BrokerOption {
	return func(s *settings) {
		if bytes < 1 {
			s.refuse(fmt.Sprintf("WithMaxMessage(%d)", bytes), errNotPositive)
			return
		}
		s.maxMessage = bytes
	}
}

// WithDeadLetters keeps what no worker can process in letters. By default that is, for each queue, the durable queue of
// the same name with .dead at the end. The broker does not close letters.
func WithDeadLetters(letters *DeadLetters) BrokerOption {
	return func(s *settings) {
		if letters == nil {
			s.refuse("WithDeadLetters(nil)", errNil)
			return
		}
		s.deadLetters = letters
	}
}

// WithQueueType declares the work queues, those beside them and the dead letters as queues of a type, "quorum" or
// "classic". The default is the type that a queue has already, or else the virtual host's default. The x-queue-type of
// config.AMQPConfig.QueueDeclareArgs wins, and a queue that exists is used as it is: so is that of WithDeadLetters,
// which NewDeadLetters has declared with the virtual host's default.
//
// Delayed tasks wait in quorum queues. With "classic" they wait in classic ones, for a RabbitMQ that has no quorum
// queues: these may lose a delayed task when the server is killed just as it comes due, and live on one node.
func WithQueueType(kind string) BrokerOption {
	return func(s *settings) {
		if kind != amqp.QueueTypeQuorum && kind != amqp.QueueTypeClassic {
			s.refuse(fmt.Sprintf("WithQueueType(%q)", kind), errNoQueueType)
			return
		}
		s.queueType = kind
	}
}

// WithConsumerTimeout sets how long a task may take before RabbitMQ gives it to another worker, in whole milliseconds
// of which there is at least one. Work queues are declared with it as x-consumer-timeout, unless
// config.AMQPConfig.QueueDeclareArgs has one; Machinery's own brokers must declare them so too. RabbitMQ heeds it from
// 3.12 on, for queues that do not exist yet. By default, and otherwise, the server's consumer_timeout holds, of 30
// minutes unless it is configured. A worker that is still at a task when RabbitMQ delivers it again does not run it a
// second time, but another worker does.
func WithConsumerTimeout(d time.Duration) BrokerOption {
	return func(s *settings) {
		if d < time.Millisecond {
			s.refuse(fmt.Sprintf("WithConsumerTimeout(%v)", d), errNoTimeout)
			return
		}
		s.consumerTimeout = d
	}
}

// WithLogger sets where the broker logs (default middleware.MachineryLogger()). Records have the attributes task, uuid,
// queue and error, as far as they apply, and never a value of a task.
func WithLogger(logger *slog.Logger) BrokerOption {
	return func(s *settings) {
		if logger == nil {
			s.refuse("WithLogger(nil)", errNil)
			return
		}
		s.logger = logger
	}
}

// RejectToDeadLetters declares the work queues with x-dead-letter-exchange and x-dead-letter-routing-key, so that
// RabbitMQ itself moves messages to the dead letters that Machinery's workers reject, that expire, or that exceed the
// length or the delivery limit of the queue.
//
// RabbitMQ does not change a queue that exists: it is used as it is, which is logged once. Machinery's own brokers fail
// unless they declare the queue in the same way, by config.AMQPConfig.QueueDeclareArgs. With WithDeadLetters, those
// must be on the same RabbitMQ and virtual host.
func RejectToDeadLetters() BrokerOption {
	return func(s *settings) { s.rejectToDeadLetters = true }
}
