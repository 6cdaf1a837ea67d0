package amqpadapter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
)

// publishConn is one connection for publishing, with what was opened and declared on it.
type publishConn struct {
	connection *connection
	// blocked is nil where RabbitMQ takes messages.
	blocked atomic.Pointer[block]

	// opening lets one goroutine at a time open the channel that all messages share: on one, RabbitMQ confirms many at
	// once, which makes it the fastest way even for many goroutines.
	opening mutex
	confirm atomic.Pointer[confirmChannel]
	// alone holds one element for each message on a channel of its own.
	alone chan struct{}

	// declaring lets one goroutine at a time declare, on a channel of its own: what RabbitMQ refuses closes the
	// channel.
	declaring    mutex
	declarations *amqp.Channel
	declared     sync.Map // declaration.id → nil
	// types has the types of queues, where they are not classic.
	types sync.Map
}

// newPublishConn starts a goroutine that ends with the connection.
func newPublishConn(connection *connection) *publishConn {
	c := &publishConn{
		connection: connection, opening: newMutex(), declaring: newMutex(), alone: make(chan struct{}, maxOutstanding),
	}
	changes := connection.NotifyBlocked(make(chan amqp.Blocking, 1))
	go func() {
		for change := range changes {
			if change.Active {
				c.setBlocked(&block{reason: change.Reason, over: make(chan struct{})})
			} else {
				c.setBlocked(nil)
			}
		}
		c.setBlocked(nil)
	}()
	return c
}

// A block is a time in which RabbitMQ takes no messages. over is closed at its end, also that of the connection.
type block struct {
	reason string
	over   chan struct{}
}

func (c *publishConn) setBlocked(b *block) {
	if before := c.blocked.Swap(b); before != nil {
		close(before.over)
	}
}

// awaitUnblocked waits until RabbitMQ takes messages: what is written before that it takes in the end too, and so each of
// the attempts to send a message.
func (c *publishConn) awaitUnblocked(ctx context.Context) error {
	for b := c.blocked.Load(); b != nil; b = c.blocked.Load() {
		select {
		case <-b.over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // as it may have while a channel was opened: nobody waits for the message any more
	}
	return nil
}

// isOpen reports whether there is a connection, and it is open as far as the client library knows.
func (c *publishConn) isOpen() bool { return c != nil && !c.connection.IsClosed() }

// whyLate adds to an error that came of waiting too long that RabbitMQ takes no messages at present.
func (c *publishConn) whyLate(err error) error {
	if b := c.blocked.Load(); b != nil {
		return fmt.Errorf("%w: %w (%s)", err, errBlocked, b.reason)
	}
	return err
}

// A declaration makes something in RabbitMQ, unless it is there already.
type declaration struct {
	id      string
	declare func(*amqp.Channel) error
}

// ensure declares, in their order, what was not yet declared on this connection.
func (c *publishConn) ensure(ctx context.Context, needs ...declaration) error {
	for _, need := range needs {
		if _, done := c.declared.Load(need.id); done {
			continue
		}
		if err := c.declareInTurn(ctx, need); err != nil {
			return err
		}
	}
	return nil
}

// renew declares, in their order, what may have been deleted since. Others go on as if it had not been.
func (c *publishConn) renew(ctx context.Context, needs ...declaration) error {
	for _, need := range needs {
		if err := c.declareInTurn(ctx, need); err != nil {
			return err
		}
	}
	return nil
}

func (c *publishConn) declareInTurn(ctx context.Context, d declaration) error {
	if err := c.declaring.lock(ctx); err != nil {
		return err
	}
	return waitFor(ctx, func() error {
		defer c.declaring.unlock()
		return c.declare(d)
	})
}

func (c *publishConn) declare(d declaration) error {
	if c.declarations == nil || c.declarations.IsClosed() {
		channel, err := c.connection.Channel()
		if err != nil {
			return err
		}
		c.declarations = channel
	}
	err := d.declare(c.declarations)
	if other, ok := errors.AsType[instead](err); ok {
		return c.declare(other.declaration)
	}
	if err != nil {
		return err
	}
	c.declared.Store(d.id, nil)
	return nil
}

// forget makes everything be declared again.
func (c *publishConn) forget() {
	c.declared.Clear()
	c.types.Clear()
}

// publish tries a message once on the channel that all share. Where that fails by RabbitMQ's decision it tries again
// alone: another message may have been the reason.
func (c *publishConn) publish(ctx context.Context, m message) error {
	if m.isLarge() {
		return c.publishAlone(ctx, m)
	}
	channel, sent, err := c.send(ctx, m)
	if err == nil {
		err = channel.await(ctx, sent)
	}
	switch {
	case isRefused(err):
		return c.publishAlone(ctx, m)
	case errors.Is(err, errNacked):
		// Where the node with the leader of a quorum queue is lost, RabbitMQ 3.10 may go on refusing what a channel
		// sends to it, long after another node has taken over.
		if err = c.publishAlone(ctx, m); err == nil {
			c.retire(ctx, channel)
		}
	}
	return err
}

// send sends a message on the channel that all share, and declares before what it needs. await must follow, on the channel
// that it returns.
func (c *publishConn) send(ctx context.Context, m message) (*confirmChannel, sentMessage, error) {
	if err := c.ensure(ctx, m.needs...); err != nil {
		return nil, sentMessage{}, err
	}
	for {
		channel, err := c.channel(ctx)
		if err != nil {
			return nil, sentMessage{}, err
		}
		sent, err := channel.send(ctx, m)
		if !errors.Is(err, errRetired) {
			return channel, sent, err
		}
	}
}

// channel returns the open channel for publishing.
func (c *publishConn) channel(ctx context.Context) (*confirmChannel, error) {
	if open := c.confirm.Load(); open.isOpen() {
		return open, nil
	}
	if err := c.opening.lock(ctx); err != nil {
		return nil, err
	}
	if open := c.confirm.Load(); open.isOpen() {
		defer c.opening.unlock()
		return open, nil
	}
	var opened *confirmChannel
	err := waitFor(ctx, func() (err error) {
		defer c.opening.unlock()
		if opened, err = c.open(); err == nil {
			c.confirm.Store(opened)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// retire has the next message open another channel in place of this one.
func (c *publishConn) retire(ctx context.Context, old *confirmChannel) {
	if c.opening.lock(ctx) != nil {
		return
	}
	defer c.opening.unlock()
	if c.confirm.CompareAndSwap(old, nil) {
		old.retire()
	}
}

// publishAlone uses a channel that no other message can be the end of: which one was, RabbitMQ does not tell. There are as
// many of them as messages outstanding on the one that all share: RabbitMQ bounds the channels of a connection.
func (c *publishConn) publishAlone(ctx context.Context, m message) error {
	if err := c.ensure(ctx, m.needs...); err != nil {
		return err
	}
	if err := c.awaitUnblocked(ctx); err != nil {
		return err
	}
	select {
	case c.alone <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return waitFor(ctx, func() error {
		defer func() { <-c.alone }()
		own, err := c.open()
		if err != nil {
			return err
		}
		defer func() { _ = own.channel.Close() }()
		return own.publish(ctx, m)
	})
}

func (c *publishConn) open() (*confirmChannel, error) {
	channel, err := c.connection.Channel()
	if err != nil {
		return nil, err
	}
	if err := channel.Confirm(false); err != nil {
		return nil, err
	}
	return newConfirmChannel(c, channel), nil
}
