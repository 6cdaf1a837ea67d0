package amqpadapter

import (
	"context"
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"
)

// consumeConn is the connection on which the workers of a broker get their tasks. It is not the one for publishing:
// RabbitMQ stops reading that when it is short of memory, and acknowledgements must still get through.
type consumeConn struct {
	endpoint endpoint

	// connecting guards what follows.
	connecting mutex
	connection *connection
	channels   int // and what declares on one of its own
}

func newConsumeConn(e endpoint) *consumeConn {
	return &consumeConn{endpoint: e, connecting: newMutex()}
}

// open opens a channel, and the connection where that is needed. close must follow.
func (c *consumeConn) open(ctx context.Context) (*callChannel, error) {
	connection, err := c.join(ctx)
	if err != nil {
		return nil, err
	}
	channel, err := obtain(ctx, connection.Channel, func(late *amqp.Channel) { _ = late.Close() })
	if err != nil {
		c.leave()
		return nil, err
	}
	return newCallChannel(channel), nil
}

// join returns the connection, opened where that is needed. leave must follow.
func (c *consumeConn) join(ctx context.Context) (*connection, error) {
	if err := c.connecting.lock(ctx); err != nil {
		return nil, err
	}
	defer c.connecting.unlock()
	if c.connection == nil || c.connection.IsClosed() {
		connection, err := c.endpoint.dial(ctx, "machinery-envelope consumer")
		if err != nil {
			return nil, err
		}
		c.connection = connection
	}
	c.channels++
	return c.connection, nil
}

// leave closes the connection with the last channel.
func (c *consumeConn) leave() {
	_ = c.connecting.lock(context.Background())
	defer c.connecting.unlock()
	c.channels--
	if c.channels == 0 {
		_ = c.connection.hangUp()
		c.connection = nil
	}
}

// close closes a channel. It waits only so long for a RabbitMQ that does not answer.
func (c *consumeConn) close(channel *callChannel) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = channel.call(ctx, channel.Close)
	c.leave()
}

// declare declares on a channel of its own.
func (c *consumeConn) declare(ctx context.Context, d declaration) error {
	connection, err := c.join(ctx)
	if err != nil {
		return err
	}
	defer c.leave()
	err = waitFor(ctx, func() error { return declareOn(connection, d) })
	if other, ok := errors.AsType[instead](err); ok {
		return c.declare(ctx, other.declaration)
	}
	return err
}

func declareOn(connection *connection, d declaration) error {
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	defer func() { _ = channel.Close() }()
	return d.declare(channel)
}
