package amqpadapter

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A callChannel is a channel that one call at a time uses. One that nobody waits for any more goes on, and the client
// library may give its answer to another. A close that gets it has the library forget a channel that RabbitMQ still has
// open, and end the whole connection when a delivery comes there.
type callChannel struct {
	*amqp.Channel
	calling mutex
}

// openCallChannel opens a channel. One that comes when ctx has ended is closed.
func openCallChannel(ctx context.Context, connection *connection) (*callChannel, error) {
	channel, err := obtain(ctx, connection.Channel, func(late *amqp.Channel) { _ = late.Close() })
	if err != nil {
		return nil, err
	}
	return &callChannel{Channel: channel, calling: newMutex()}, nil
}

// call waits for what do asks RabbitMQ until ctx ends. What do writes may be read only where call returns no error.
func (c *callChannel) call(ctx context.Context, do func() error) error {
	return waitFor(ctx, func() error {
		_ = c.calling.lock(context.Background())
		defer c.calling.unlock()
		return do()
	})
}

// isCalling reports whether RabbitMQ has yet to answer a call, be it one that nobody waits for any more.
func (c *callChannel) isCalling() bool {
	if !c.calling.tryLock() {
		return true
	}
	c.calling.unlock()
	return false
}

// A subscription is to a queue. The prefetch count of a channel holds for the consumers that come after it.
type subscription struct {
	queue, tag string
	prefetch   int
	arguments  amqp.Table
}

// subscribe has a queue delivered. Where it fails the channel must be closed: RabbitMQ may deliver all the same.
func (c *callChannel) subscribe(ctx context.Context, s subscription) (<-chan amqp.Delivery, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var deliveries <-chan amqp.Delivery
	err := c.call(ctx, func() (err error) {
		if err := c.Qos(s.prefetch, 0, false); err != nil {
			return fmt.Errorf("prefetch count: %w", err)
		}
		if deliveries, err = c.Consume(s.queue, s.tag, false, false, false, false, s.arguments); err != nil {
			return fmt.Errorf("consume queue %q: %w", s.queue, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return deliveries, nil
}
