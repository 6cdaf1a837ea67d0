package amqpadapter

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A message is what is published, and where to.
type message struct {
	exchange, routingKey string
	// needs must exist for the message to get where it shall.
	needs []declaration
	amqp.Publishing
}

// publisher sends messages over one connection, which it opens when it is needed, and again after it was lost. Each
// message waits for its own confirmation, and any number of them do so at the same time.
type publisher struct {
	endpoint endpoint
	timeout  time.Duration

	// gate lets one goroutine at a time look after the link.
	gate   gate
	link   *link
	opened bool
	closed atomic.Bool
	// busy counts the messages under way.
	busy atomic.Int64
}

func newPublisher(e endpoint, timeout time.Duration) *publisher {
	return &publisher{endpoint: e, timeout: timeout, gate: newGate()}
}

// publish returns when RabbitMQ has confirmed the message. Where the connection is lost meanwhile it sends the message
// again, so that it may arrive twice. The errors are ErrUnroutable, ErrNotConfirmed, ErrTooLarge, ErrClosed, those of
// ctx, and RabbitMQ's own where it refuses a declaration.
func (p *publisher) publish(ctx context.Context, m message) error {
	p.busy.Add(1)
	defer p.busy.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()

	forgotten := false
	for tries := 0; ; tries++ {
		link, err := p.try(ctx, m)
		switch {
		case err == nil:
			return nil
		case isMissing(err) && !forgotten:
			// Somebody has deleted what was declared earlier.
			forgotten = true
			link.forget()
			continue
		case !isLost(err):
			return err
		}
		if !pause(ctx, spread(doubled(firstReconnect, lastReconnect, tries))) {
			return fmt.Errorf("%w: %w: %w", ErrNotConfirmed, context.Cause(ctx), err)
		}
	}
}

func (p *publisher) try(ctx context.Context, m message) (*link, error) {
	link, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, need := range m.needs {
		if err := link.ensure(ctx, need); err != nil {
			return link, err
		}
	}
	channel, err := link.channel(ctx)
	if err != nil {
		return link, err
	}
	err = channel.publish(ctx, m)
	if isRefused(err) {
		return link, link.publishAlone(ctx, m)
	}
	return link, err
}

// connect returns the connection. One that could never be opened is an error at once, one that was lost is lost: its
// server may come back.
func (p *publisher) connect(ctx context.Context) (*link, error) {
	if err := p.gate.enter(ctx); err != nil {
		return nil, err
	}
	defer p.gate.leave()
	if p.closed.Load() {
		return nil, ErrClosed
	}
	if p.link != nil && !p.link.connection.IsClosed() {
		return p.link, nil
	}
	connection, err := p.endpoint.dial(ctx, "machinery-envelope publisher", newWriteBuffer)
	if err != nil && p.opened {
		return nil, lost{err}
	}
	if err != nil {
		return nil, err
	}
	p.link, p.opened = newLink(connection), true
	return p.link, nil
}

// use calls do with a channel of its own, which is closed afterwards. do should heed ctx where it goes on for long.
func (p *publisher) use(ctx context.Context, do func(*amqp.Channel) error) error {
	p.busy.Add(1)
	defer p.busy.Add(-1)
	link, err := p.connect(ctx)
	if err != nil {
		return err
	}
	return await(ctx, func() error {
		channel, err := link.connection.Channel()
		if err != nil {
			return err
		}
		defer func() { _ = channel.Close() }()
		return do(channel)
	})
}

// rest closes the connection unless it is in use. The next message opens it again.
func (p *publisher) rest() {
	_ = p.gate.enter(context.Background())
	defer p.gate.leave()
	if p.link == nil || p.busy.Load() > 0 {
		return
	}
	_ = p.link.connection.hangUp()
	p.link = nil
}

// close closes the connection for good. Messages under way fail.
func (p *publisher) close() error {
	p.closed.Store(true)
	_ = p.gate.enter(context.Background())
	defer p.gate.leave()
	if p.link == nil {
		return nil
	}
	err := p.link.connection.hangUp()
	p.link = nil
	return err
}

// lost marks an error that another connection may mend.
type lost struct{ error }

func (l lost) Unwrap() error { return l.error }

func isLost(err error) bool {
	var marked lost
	if errors.As(err, &marked) || errors.Is(err, amqp.ErrClosed) {
		return true
	}
	var closed *amqp.Error
	if !errors.As(err, &closed) {
		return false
	}
	switch closed.Code {
	case amqp.ConnectionForced, amqp.FrameError, amqp.ChannelError, amqp.ResourceError, amqp.InternalError:
		return true
	default:
		return false
	}
}

// isRefused tells whether RabbitMQ has closed a channel because of a message on it.
func isRefused(err error) bool {
	var closed *amqp.Error
	return errors.As(err, &closed) && !isLost(err)
}

// isMissing tells whether an error may come of an exchange or a queue that is gone.
func isMissing(err error) bool {
	var refused *amqp.Error
	return errors.Is(err, ErrUnroutable) || errors.As(err, &refused) && refused.Code == amqp.NotFound
}

// A gate lets one goroutine at a time through. Waiting for it ends with a context.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

func (g gate) enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g gate) leave() { <-g }

// await calls do, which knows no context, and stops waiting for it when ctx ends. do ends by itself at the latest when
// its connection does.
func await(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
