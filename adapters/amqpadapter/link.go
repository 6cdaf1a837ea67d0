package amqpadapter

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A link is one connection for publishing, with what was opened and declared on it.
type link struct {
	connection *connection
	blocked    atomic.Bool // RabbitMQ takes no messages at present

	// opening lets one goroutine at a time open the channel that all messages share: on one, RabbitMQ confirms many at
	// once, which makes it the fastest way even for many goroutines.
	opening gate
	confirm *confirmChannel

	// declaring lets one goroutine at a time declare, on a channel of its own: what RabbitMQ refuses closes the channel.
	declaring    gate
	declarations *amqp.Channel
	declared     sync.Map // declaration.id → nil
}

// newLink starts a goroutine that ends with the connection.
func newLink(connection *connection) *link {
	l := &link{connection: connection, opening: newGate(), declaring: newGate()}
	changes := connection.NotifyBlocked(make(chan amqp.Blocking, 1))
	go func() {
		for change := range changes {
			l.blocked.Store(change.Active)
		}
	}()
	return l
}

// A declaration makes something in RabbitMQ, unless it is there already.
type declaration struct {
	id      string
	declare func(*amqp.Channel) error
}

// ensure declares what was not yet declared on this link.
func (l *link) ensure(ctx context.Context, d declaration) error {
	if _, done := l.declared.Load(d.id); done {
		return nil
	}
	if err := l.declaring.enter(ctx); err != nil {
		return err
	}
	return await(ctx, func() error {
		defer l.declaring.leave()
		return l.declare(d)
	})
}

func (l *link) declare(d declaration) error {
	if l.declarations == nil || l.declarations.IsClosed() {
		channel, err := l.connection.Channel()
		if err != nil {
			return err
		}
		l.declarations = channel
	}
	if err := d.declare(l.declarations); err != nil {
		return err
	}
	l.declared.Store(d.id, nil)
	return nil
}

// forget makes everything be declared again.
func (l *link) forget() { l.declared.Clear() }

// channel returns the open channel for publishing.
func (l *link) channel(ctx context.Context) (*confirmChannel, error) {
	if err := l.opening.enter(ctx); err != nil {
		return nil, err
	}
	if l.confirm != nil && !l.confirm.channel.IsClosed() {
		defer l.opening.leave()
		return l.confirm, nil
	}
	var opened *confirmChannel
	err := await(ctx, func() (err error) {
		defer l.opening.leave()
		if opened, err = l.open(); err == nil {
			l.confirm = opened
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// publishAlone uses a channel that no other message can be the end of: which one was, RabbitMQ does not tell.
func (l *link) publishAlone(ctx context.Context, m message) error {
	return await(ctx, func() error {
		own, err := l.open()
		if err != nil {
			return err
		}
		defer func() { _ = own.channel.Close() }()
		return own.publish(ctx, m)
	})
}

func (l *link) open() (*confirmChannel, error) {
	channel, err := l.connection.Channel()
	if err != nil {
		return nil, err
	}
	if err := channel.Confirm(false); err != nil {
		return nil, err
	}
	return newConfirmChannel(l, channel), nil
}

// messageIDs are unique on a channel, which is all that a returned message is told by.
type messageIDs struct{ last atomic.Uint64 }

func (ids *messageIDs) next() string { return strconv.FormatUint(ids.last.Add(1), 36) }
