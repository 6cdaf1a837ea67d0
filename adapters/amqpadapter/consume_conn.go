package amqpadapter

import (
	"context"
	"errors"
	"sync"
)

// consumeConn is the connection on which the workers of a broker get their tasks. It is not the one for publishing:
// RabbitMQ stops reading that when it is short of memory, and acknowledgements must still get through.
type consumeConn struct {
	endpoint *endpoint

	// connecting lets one goroutine at a time open the connection.
	connecting mutex

	// mu guards what follows. Nobody waits for RabbitMQ with it: a worker that stops must not wait for another's connecting.
	mu         sync.Mutex
	connection *connection
	channels   int // and what declares on one of its own
}

func newConsumeConn(e *endpoint) *consumeConn {
	return &consumeConn{endpoint: e, connecting: newMutex()}
}

// open opens a channel, and the connection where that is needed. close must follow.
func (c *consumeConn) open(ctx context.Context) (*callChannel, error) {
	connection, err := c.join(ctx)
	if err != nil {
		return nil, err
	}
	channel, err := openCallChannel(ctx, connection)
	if err != nil {
		c.leave(ctx)
		return nil, err
	}
	return channel, nil
}

// join returns the connection, opened where that is needed. leave must follow.
func (c *consumeConn) join(ctx context.Context) (*connection, error) {
	if err := c.connecting.lock(ctx); err != nil {
		return nil, err
	}
	defer c.connecting.unlock()
	if open := c.joinOpen(); open != nil {
		return open, nil
	}
	connection, err := c.endpoint.dial(ctx, "machinery-envelope consumer")
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connection = connection
	c.channels++
	return connection, nil
}

// joinOpen returns the connection where one is open, else nil.
func (c *consumeConn) joinOpen() *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.connection == nil || c.connection.IsClosed() {
		return nil
	}
	c.channels++
	return c.connection
}

// leave closes the connection with the last channel. It waits for RabbitMQ's answer until ctx ends.
func (c *consumeConn) leave(ctx context.Context) {
	if unused := c.takeUnused(); unused != nil {
		_ = unused.hangUp(ctx)
	}
}

// takeUnused counts one channel less, and returns the connection where that was the last, else nil.
func (c *consumeConn) takeUnused() *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.channels--; c.channels > 0 {
		return nil
	}
	unused := c.connection
	c.connection = nil
	return unused
}

// close closes a channel. When it is closed RabbitMQ has taken what was acknowledged on it: a connection that is closed
// before may take that with it. RabbitMQ's answer is waited for until ctx ends; a connection on which it did not come is
// closed without another.
func (c *consumeConn) close(ctx context.Context, channel *callChannel) {
	_ = channel.call(ctx, channel.Close)
	if channel.IsClosed() {
		ctx = context.Background()
	}
	c.leave(ctx)
}

// declare declares on a channel of its own.
func (c *consumeConn) declare(ctx context.Context, d declaration) error {
	connection, err := c.join(ctx)
	if err != nil {
		return err
	}
	defer c.leave(ctx)
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
