package amqpadapter

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// mostOutstanding bounds the messages of a channel that are not confirmed yet.
const mostOutstanding = 256

// errBlocked says why a confirmation does not come.
var errBlocked = errors.New("rabbitmq takes no messages at present: it is short of memory or disk space")

// confirmChannel publishes many messages at a time and tells which of them were confirmed, refused or returned.
type confirmChannel struct {
	link    *link
	channel *amqp.Channel
	ids     messageIDs
	// slots holds one element for each message outstanding.
	slots chan struct{}
	// returns has room for a return of every message outstanding. It is read by who finds its message confirmed: a
	// return comes before the confirmation.
	returns chan amqp.Return
	closed  chan *amqp.Error

	mu       sync.Mutex
	returned map[string]amqp.Return // by message id
	reason   *amqp.Error
}

func newConfirmChannel(l *link, channel *amqp.Channel) *confirmChannel {
	return &confirmChannel{
		link:     l,
		channel:  channel,
		slots:    make(chan struct{}, mostOutstanding),
		returns:  channel.NotifyReturn(make(chan amqp.Return, mostOutstanding)),
		closed:   channel.NotifyClose(make(chan *amqp.Error, 1)),
		returned: make(map[string]amqp.Return),
	}
}

// publish returns when the message was confirmed, or will not be.
func (c *confirmChannel) publish(ctx context.Context, m message) error {
	if err := m.check(c.link.connection.Config.FrameSize); err != nil {
		return err
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return c.late(ctx)
	}
	m.MessageId = c.ids.next()
	confirmation, err := c.channel.PublishWithDeferredConfirm(m.exchange, m.routingKey, true, false, m.Publishing)
	if err != nil {
		<-c.slots
		return c.failure(err)
	}
	select {
	case <-confirmation.Done():
		<-c.slots
		return c.outcome(m, confirmation)
	case <-ctx.Done():
		go c.abandon(m, confirmation)
		return c.late(ctx)
	}
}

// abandon keeps the slot of a message for which nobody waits any more. It ends with the channel at the latest.
func (c *confirmChannel) abandon(m message, confirmation *amqp.DeferredConfirmation) {
	confirmation.Wait()
	<-c.slots
	_ = c.outcome(m, confirmation)
}

func (c *confirmChannel) late(ctx context.Context) error {
	if c.link.blocked.Load() {
		return fmt.Errorf("%w: %w: %w", ErrNotConfirmed, context.Cause(ctx), errBlocked)
	}
	return fmt.Errorf("%w: %w", ErrNotConfirmed, context.Cause(ctx))
}

func (c *confirmChannel) outcome(m message, confirmation *amqp.DeferredConfirmation) error {
	returned, wasReturned := c.takeReturned(m.MessageId)
	switch {
	case wasReturned:
		return fmt.Errorf("exchange %q, routing key %q: %w (%s)", m.exchange, m.routingKey, ErrUnroutable, returned.ReplyText)
	case confirmation.Acked():
		return nil
	case c.channel.IsClosed():
		return c.failure(amqp.ErrClosed)
	default:
		return fmt.Errorf("%w: rabbitmq refused it, as it does where a queue is full", ErrNotConfirmed)
	}
}

// takeReturned tells whether the message, whose confirmation has come, was returned before.
func (c *confirmChannel) takeReturned(id string) (amqp.Return, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		select {
		case r, open := <-c.returns:
			if open {
				c.returned[r.MessageId] = r
				continue
			}
		default:
		}
		r, found := c.returned[id]
		delete(c.returned, id)
		return r, found
	}
}

// failure returns why the channel was closed, where RabbitMQ has said so.
func (c *confirmChannel) failure(err error) error {
	if !errors.Is(err, amqp.ErrClosed) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case reason := <-c.closed:
		if c.reason == nil {
			c.reason = reason
		}
	default:
	}
	if c.reason == nil {
		return err
	}
	return c.reason
}
