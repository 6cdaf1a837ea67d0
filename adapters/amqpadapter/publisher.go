package amqpadapter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
)

// publisher sends messages over one connection, which it opens when it is needed, and again after it was lost. Each
// message waits for its own confirmation, and any number of them do so at the same time.
type publisher struct {
	endpoint  *endpoint
	deadlines deadlines

	// connecting is held by who changes conn and opened.
	connecting mutex
	conn       atomic.Pointer[publishConn]
	opened     bool
	// closed ends, by end, when the publisher is closed.
	closed context.Context
	end    context.CancelCauseFunc
	// busy counts the messages under way.
	busy atomic.Int64
}

func newPublisher(e *endpoint, timeout time.Duration) *publisher {
	closed, end := context.WithCancelCause(context.Background())
	return &publisher{
		endpoint: e, deadlines: deadlines{timeout: timeout}, connecting: newMutex(), closed: closed, end: end,
	}
}

// publish returns when RabbitMQ has confirmed the message. Where there is no connection or it is lost meanwhile, or
// RabbitMQ refuses the message, it sends the message again until the timeout, so that it may arrive twice. The errors
// are ErrUnroutable, ErrNotConfirmed, ErrTooLarge, ErrClosed, those of ctx, and RabbitMQ's own where it refuses a
// connection or a declaration.
func (p *publisher) publish(ctx context.Context, m message) error {
	ctx, cancel := p.deadlines.bound(ctx)
	defer cancel()
	return p.publishWhile(ctx, m, timeMayCure)
}

// publishUnlessNacked does the same, and returns at once when RabbitMQ refuses the message.
func (p *publisher) publishUnlessNacked(ctx context.Context, m message) error {
	ctx, cancel := p.deadlines.bound(ctx)
	defer cancel()
	return p.publishWhile(ctx, m, isLost)
}

// timeMayCure reports whether a message may be sent later that could not be sent now.
func timeMayCure(err error) bool { return isLost(err) || errors.Is(err, errNacked) }

// mayBeSentLater reports whether the error of publishing is one that time may cure, after more time than there was.
func mayBeSentLater(err error) bool { return timeMayCure(err) || errors.Is(err, ErrNotConfirmed) }

// publishWhile sends the message again for as long as an error is curable, until ctx ends.
func (p *publisher) publishWhile(ctx context.Context, m message, curable func(error) bool) error {
	p.busy.Add(1)
	defer p.busy.Add(-1)
	if err := m.checkRoutingKey(); err != nil {
		return err
	}
	for failures := 1; ; failures++ {
		conn, err := p.try(ctx, m)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return notConfirmed(ctx, conn, err)
		case !curable(err):
			return err
		}
		if !backoff.Sleep(ctx, reconnect.Pause(failures)) {
			return notConfirmed(ctx, conn, err)
		}
	}
}

// notConfirmed is the error of a message for which there was no time left. There may be no connection.
func notConfirmed(ctx context.Context, conn *publishConn, err error) error {
	if cause := context.Cause(ctx); !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	if conn != nil {
		err = conn.whyLate(err)
	}
	return fmt.Errorf("%w: %w", ErrNotConfirmed, err)
}

// try sends the message once, and again where somebody may have deleted what was declared earlier. Only where it is no
// longer missing then, that was so, and what others need may be gone too: most often it was never there.
func (p *publisher) try(ctx context.Context, m message) (*publishConn, error) {
	conn, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err = conn.publish(ctx, m); !isMissing(err) {
		return conn, err
	}
	if err := conn.renew(ctx, m.needs...); err != nil {
		return conn, err
	}
	if err = conn.publish(ctx, m); err == nil {
		conn.forget()
	}
	return conn, err
}

// connect returns the connection, opened where that is needed. Where it was open before, any error is marked as lost:
// the server may come back. A publisher that is closed does not wait for the server.
func (p *publisher) connect(ctx context.Context) (*publishConn, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if conn := p.conn.Load(); conn.isOpen() {
		return conn, nil // without the lock: most messages find it open
	}
	if err := p.connecting.lock(ctx); err != nil {
		return nil, err
	}
	defer p.connecting.unlock()
	if p.closed.Err() != nil {
		return nil, ErrClosed
	}
	if conn := p.conn.Load(); conn.isOpen() {
		return conn, nil
	}
	connection, err := p.dial(ctx)
	if err != nil && p.opened {
		return nil, lost{err}
	}
	if err != nil {
		return nil, err
	}
	conn := newPublishConn(connection)
	p.conn.Store(conn)
	p.opened = true
	return conn, nil
}

// dial ends when the publisher is closed.
func (p *publisher) dial(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.closed, func() { cancel(ErrClosed) })()
	return p.endpoint.dial(ctx, "machinery-envelope publisher")
}

// browse opens a channel of its own to look into queues. It must be closed.
func (p *publisher) browse(ctx context.Context) (*browser, error) {
	p.busy.Add(1)
	conn, err := p.connect(ctx)
	if err != nil {
		p.busy.Add(-1)
		return nil, err
	}
	channel, err := openCallChannel(ctx, conn.connection)
	if err != nil {
		p.busy.Add(-1)
		return nil, err
	}
	return &browser{callChannel: channel, closed: func() { p.busy.Add(-1) }, removed: make(map[uint64]bool)}, nil
}

// closeIdle closes the connection unless it is in use. The next message opens it again.
func (p *publisher) closeIdle() {
	if !p.connecting.tryLock() {
		return // whoever connects will use it
	}
	defer p.connecting.unlock()
	conn := p.conn.Swap(nil) // a message that begins now waits for the lock
	if conn == nil {
		return
	}
	if p.busy.Load() > 0 {
		p.conn.Store(conn)
		return
	}
	_ = conn.connection.hangUp(context.Background())
}

// close closes the connection for good. Messages under way fail.
func (p *publisher) close() error {
	p.end(ErrClosed)
	_ = p.connecting.lock(context.Background())
	defer p.connecting.unlock()
	conn := p.conn.Swap(nil)
	if conn == nil {
		return nil
	}
	return conn.connection.hangUp(context.Background())
}

// lost marks an error that another connection may mend.
type lost struct{ error }

func (l lost) Unwrap() error { return l.error }

func isLost(err error) bool {
	var marked lost
	if errors.As(err, &marked) || errors.Is(err, amqp.ErrClosed) || isOfNetwork(err) {
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

// isOfNetwork reports whether an error is that of a connection which the client library still takes for open.
func isOfNetwork(err error) bool {
	_, isOperation := errors.AsType[*net.OpError](err)
	return isOperation || errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF)
}

// isRefused reports whether RabbitMQ has closed a channel because of a message on it.
func isRefused(err error) bool {
	if err == nil {
		return false
	}
	var closed *amqp.Error
	return errors.As(err, &closed) && !isLost(err)
}

// isMissing reports whether an error may come of an exchange or a queue that is gone.
func isMissing(err error) bool {
	var refused *amqp.Error
	return errors.Is(err, ErrUnroutable) || errors.As(err, &refused) && refused.Code == amqp.NotFound
}
