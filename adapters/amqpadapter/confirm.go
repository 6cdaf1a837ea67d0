package amqpadapter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// maxOutstanding bounds the messages of a channel that are not confirmed yet.
	maxOutstanding = 256
	// maxAbandoned is how many of them may be messages for which nobody waits any more.
	maxAbandoned = maxOutstanding / 2
	// stalledAfter is how long none of so many may be confirmed, before those that wait go to another channel.
	stalledAfter = 5 * time.Second
)

// errBlocked says why a confirmation does not come.
var errBlocked = errors.New("rabbitmq takes no messages at present: it is short of memory or disk space")

// errRetired says that the message was not sent, since there is another channel to send it on.
var errRetired = errors.New("channel retired")

// errNacked is the end of one attempt. Time may cure it: consumers make room, a quorum queue elects a leader.
var errNacked = fmt.Errorf("%w: rabbitmq refused it, as it does where a queue is full", ErrNotConfirmed)

// confirmChannel publishes many messages at a time and reports which of them were confirmed, refused or returned.
type confirmChannel struct {
	conn    *publishConn
	channel *amqp.Channel
	ids     *messageIDs
	// slots holds one element for each message outstanding.
	slots chan struct{}
	// full is since when there has been no slot for a message that waits for one; nil where one was freed since.
	full atomic.Pointer[time.Time]
	// abandoned counts the messages outstanding for which nobody waits any more.
	abandoned atomic.Int64
	// returns has room for a return of every message outstanding. It is read by who finds its message confirmed: a
	// return comes before the confirmation.
	returns chan amqp.Return
	closed  chan *amqp.Error
	// retired is closed when nothing more is to be sent here.
	retired chan struct{}

	mu       sync.Mutex
	returned map[string]amqp.Return // by message id
	reason   *amqp.Error
}

func newConfirmChannel(conn *publishConn, channel *amqp.Channel) *confirmChannel {
	return &confirmChannel{
		conn:     conn,
		channel:  channel,
		ids:      newMessageIDs(),
		slots:    make(chan struct{}, maxOutstanding),
		returns:  channel.NotifyReturn(make(chan amqp.Return, maxOutstanding)),
		closed:   channel.NotifyClose(make(chan *amqp.Error, 1)),
		retired:  make(chan struct{}),
		returned: make(map[string]amqp.Return),
	}
}

// isOpen reports whether there is a channel, and it is open as far as the client library knows.
func (c *confirmChannel) isOpen() bool { return c != nil && !c.channel.IsClosed() }

// retire closes the channel when nobody waits for a confirmation on it any more, which is with the connection at the
// latest.
func (c *confirmChannel) retire() {
	close(c.retired)
	go func() {
		for range maxOutstanding {
			c.slots <- struct{}{}
		}
		_ = c.channel.Close()
	}()
}

// publish returns when the message was confirmed, or will not be.
func (c *confirmChannel) publish(ctx context.Context, m message) error {
	sent, err := c.send(ctx, m)
	if err != nil {
		return err
	}
	return c.await(ctx, sent)
}

// A sentMessage is one whose confirmation is outstanding.
type sentMessage struct {
	message
	confirmation *amqp.DeferredConfirmation
}

// send returns when the message is sent. await must follow. The error is errRetired where there is another channel.
func (c *confirmChannel) send(ctx context.Context, m message) (sentMessage, error) {
	if err := m.checkFrame(c.conn.connection.Config.FrameSize); err != nil {
		return sentMessage{}, err
	}
	if err := c.conn.awaitUnblocked(ctx); err != nil {
		return sentMessage{}, err
	}
	if err := c.takeSlot(ctx); err != nil {
		return sentMessage{}, err
	}
	m.MessageId = c.ids.next()
	confirmation, err := c.channel.PublishWithDeferredConfirm(m.exchange, m.routingKey, true, false, m.Publishing)
	if err != nil {
		c.freeSlot()
		return sentMessage{}, c.failure(err)
	}
	return sentMessage{m, confirmation}, nil
}

// takeSlot waits for a slot. Messages to a queue that neither confirms nor refuses them, such as a quorum queue without
// a majority of its nodes, must not keep those to other queues from being sent: where all slots were taken for a while and
// none was freed, it retires the channel.
func (c *confirmChannel) takeSlot(ctx context.Context) error {
	select {
	case c.slots <- struct{}{}:
		return nil
	default:
	}
	for {
		since := c.noteFull()
		select {
		case c.slots <- struct{}{}:
			return nil
		case <-c.retired:
			return errRetired
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(stalledAfter - time.Since(*since)):
			c.endStall(ctx, since)
		}
	}
}

// noteFull returns since when all slots have been taken.
func (c *confirmChannel) noteFull() *time.Time {
	now := time.Now()
	c.full.CompareAndSwap(nil, &now)
	if since := c.full.Load(); since != nil {
		return since
	}
	return &now // one was freed just now
}

// endStall retires the channel if no slot was freed since then. In an alarm RabbitMQ confirms nothing, on no channel.
func (c *confirmChannel) endStall(ctx context.Context, since *time.Time) {
	switch {
	case c.full.Load() != since:
	case c.conn.blocked.Load() != nil:
		c.full.CompareAndSwap(since, nil)
	default:
		c.conn.retire(ctx, c)
	}
}

func (c *confirmChannel) freeSlot() {
	<-c.slots
	if c.full.Load() != nil {
		c.full.Store(nil)
	}
}

func (c *confirmChannel) await(ctx context.Context, m sentMessage) error {
	select {
	case <-m.confirmation.Done():
		c.freeSlot()
		return c.outcome(m.message, m.confirmation)
	case <-ctx.Done():
		go c.awaitAbandoned(m.message, m.confirmation)
		return context.Cause(ctx)
	}
}

// awaitAbandoned keeps the slot of a message for which nobody waits any more, until the channel is retired, as it is where
// there are many. It ends with the channel at the latest.
func (c *confirmChannel) awaitAbandoned(m message, confirmation *amqp.DeferredConfirmation) {
	defer c.freeSlot()
	if c.abandoned.Add(1) > maxAbandoned && c.conn.blocked.Load() == nil {
		c.conn.retire(context.Background(), c)
	}
	select {
	case <-confirmation.Done():
		c.abandoned.Add(-1)
		_ = c.outcome(m, confirmation)
	case <-c.retired:
	}
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
		return errNacked
	}
}

// takeReturned reports whether the message, whose confirmation has come, was returned before.
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
