package redisadapter

import "time"

const (
	defaultHeartbeatTimeout  = 30 * time.Second
	shortestHeartbeatTimeout = 100 * time.Millisecond
	defaultDeliveryLimit     = 10
)

// BrokerOption changes how a broker works.
type BrokerOption func(*broker)

// WithHeartbeatTimeout sets for how long the broker's workers may be silent before others take them for dead and do
// their tasks (default 30 s, at least 100 ms). They say that they live four times as often. After an outage of Redis,
// and at its own start, a worker gives the others that long to be heard of.
func WithHeartbeatTimeout(timeout time.Duration) BrokerOption {
	return func(b *broker) { b.heartbeatTimeout = max(timeout, shortestHeartbeatTimeout) }
}

// WithDeliveryLimit sets how often a task is given to a worker that dies of it, or cannot process it to its end,
// before it goes to the dead letters (default 10, at least 1). That the task fails, and is retried, is not counted.
func WithDeliveryLimit(deliveries int) BrokerOption {
	return func(b *broker) { b.deliveryLimit = max(deliveries, 1) }
}

// WithDeadLetters sets where messages go that are no tasks, and tasks that were delivered too often. By default it is
// NewDeadLetters(client, DeadLettersKey(queue)), for each queue its own.
func WithDeadLetters(letters *DeadLetters) BrokerOption {
	return func(b *broker) { b.deadLetters = func(string) *DeadLetters { return letters } }
}

// WithPublishTimeout sets for how long a send is repeated while Redis cannot be reached (default 15 s), before it
// returns the error. Machinery's worker lets go of the error of a callback that it could not send. Zero leaves it at
// what the client retries.
func WithPublishTimeout(timeout time.Duration) BrokerOption {
	return func(b *broker) { b.publishTimeout = timeout }
}
