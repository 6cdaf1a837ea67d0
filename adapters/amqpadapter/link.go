package amqpadapter

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
)

// mostChannels is how many channels share the messages of a busy publisher: each is a process in RabbitMQ, and a few
// let it work on several messages at once.
const mostChannels = 4

// A link is one connection for publishing, with what was opened and declared on it.
type link struct {
	connection *connection
	blocked    atomic.Bool // RabbitMQ takes no messages at present

	// opening lets one goroutine at a time open a channel.
	opening  gate
	mu       sync.Mutex
	channels []*confirmChannel

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

// channel returns the channel with the least to do. It opens another one while all have something to do.
func (l *link) channel(ctx context.Context) (*confirmChannel, error) {
	idlest, n := l.idlest()
	if idlest != nil && (idlest.outstanding() == 0 || n == mostChannels) {
		return idlest, nil
	}
	if err := l.opening.enter(ctx); err != nil {
		return nil, err
	}
	var opened *confirmChannel
	err := await(ctx, func() error {
		defer l.opening.leave()
		var err error
		opened, err = l.open()
		return err
	})
	return opened, err
}

func (l *link) idlest() (idlest *confirmChannel, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	open := l.channels[:0]
	for _, c := range l.channels {
		if c.channel.IsClosed() {
			continue
		}
		open = append(open, c)
		if idlest == nil || c.outstanding() < idlest.outstanding() {
			idlest = c
		}
	}
	clear(l.channels[len(open):])
	l.channels = open
	return idlest, len(open)
}

// open adds a channel, unless there are enough meanwhile.
func (l *link) open() (*confirmChannel, error) {
	if idlest, n := l.idlest(); n == mostChannels {
		return idlest, nil
	}
	channel, err := l.connection.Channel()
	if err != nil {
		return nil, err
	}
	if err := channel.Confirm(false); err != nil {
		return nil, err
	}
	opened := newConfirmChannel(l, channel)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.channels = append(l.channels, opened)
	return opened, nil
}

// messageIDs are unique on a channel, which is all that a returned message is told by.
type messageIDs struct{ last atomic.Uint64 }

func (ids *messageIDs) next() string { return strconv.FormatUint(ids.last.Add(1), 36) }
