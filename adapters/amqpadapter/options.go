package amqpadapter

import "time"

const (
	defaultPublishTimeout = 30 * time.Second
	defaultMaxAttempts    = 10
	defaultFirstPause     = time.Second
	defaultLastPause      = time.Minute
)

// settings are what options change.
type settings struct {
	publishTimeout time.Duration
	maxAttempts    int
	firstPause     time.Duration
	lastPause      time.Duration
	deadLetters    *DeadLetters
	rejectToDead   bool
}

func newSettings(opts []BrokerOption) settings {
	s := settings{
		publishTimeout: defaultPublishTimeout,
		maxAttempts:    defaultMaxAttempts,
		firstPause:     defaultFirstPause,
		lastPause:      defaultLastPause,
	}
	for _, option := range opts {
		option(&s)
	}
	return s
}

// BrokerOption changes how a broker works.
type BrokerOption func(*settings)

// WithPublishTimeout bounds how long Publish waits for RabbitMQ, all repetitions together (default 30 s). A context with
// an earlier deadline bounds it more.
func WithPublishTimeout(d time.Duration) BrokerOption {
	return func(s *settings) { s.publishTimeout = max(d, time.Millisecond) }
}

// WithMaxAttempts sets how often a task is tried before it ends in the dead letters (default 10). An attempt counts when
// Process returned an error, or when the worker was lost while it had the task. Failures and retries of the task itself
// are none: Process returns nil then.
func WithMaxAttempts(n int) BrokerOption {
	return func(s *settings) { s.maxAttempts = max(n, 1) }
}

// WithPauses sets how long a task waits for its next attempt: the pause doubles from the first to the last (default 1 s
// and 1 min), and varies by half, by chance.
func WithPauses(first, last time.Duration) BrokerOption {
	return func(s *settings) { s.firstPause, s.lastPause = max(first, time.Millisecond), max(last, first) }
}

// WithDeadLetters keeps what no worker can do in d. Without it, that goes to a durable queue beside the work queue, named
// after it with .dead at the end. The broker does not close d.
func WithDeadLetters(d *DeadLetters) BrokerOption {
	return func(s *settings) { s.deadLetters = d }
}

// RejectToDeadLetters declares the work queues with x-dead-letter-exchange and x-dead-letter-routing-key, so that RabbitMQ
// itself moves messages to the dead letters that Machinery's workers reject, that expire, or that exceed the length or
// the delivery limit of the queue.
//
// RabbitMQ refuses to declare an existing queue in another way: everybody who declares the queue must do it so, Machinery's
// own brokers by config.AMQPConfig.QueueDeclareArgs. With WithDeadLetters, those must be on the same RabbitMQ and virtual
// host.
func RejectToDeadLetters() BrokerOption {
	return func(s *settings) { s.rejectToDead = true }
}
