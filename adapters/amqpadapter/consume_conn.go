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
	channels   int
}

func newConsumeConn(e endpoint) *consumeConn {
	return &consumeConn{endpoint: e, connecting: newMutex()}
}

// open opens a channel, and the connection where that is needed. close must follow.
func (c *consumeConn) open(ctx context.Context) (*amqp.Channel, error) {
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
	channel, err := c.connection.Channel()
	if err != nil {
		return nil, err
	}
	c.channels++
	return channel, nil
}

// close closes a channel, and the connection with the last one. It waits only so long for a RabbitMQ that does not
// answer.
func (c *consumeConn) close(channel *amqp.Channel) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = waitFor(ctx, channel.Close)
	_ = c.connecting.lock(context.Background())
	defer c.connecting.unlock()
	c.channels--
	if c.channels == 0 {
		_ = c.connection.hangUp()
		c.connection = nil
	}
}

// declare declares on a channel of its own.
func (c *consumeConn) declare(ctx context.Context, d declaration) error {
	channel, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer c.close(channel)
	err = d.declare(channel)
	if other, ok := errors.AsType[instead](err); ok {
		return c.declare(ctx, other.declaration)
	}
	return err
}
