package middleware

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/RichardKnop/machinery/v2/brokers/eager"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// broker decorates a Machinery broker. Publish is the one place that every task passes on its way out, members of
// groups and chords included, and the processor given to StartConsuming the one place on its way in.
type broker struct {
	brokersiface.Broker
	m        *Middleware
	stopping context.Context
	stop     context.CancelFunc
	naming   sync.Mutex
}

// eagerBroker is a broker that runs tasks in place. Machinery finds that out by a type assertion, so only a decorator
// of such a broker may have AssignWorker.
type eagerBroker struct {
	*broker
	mode eager.Mode
}

func (m *Middleware) decorateBroker() brokersiface.Broker {
	stopping, stop := context.WithCancel(context.Background())
	outer := &broker{Broker: m.broker, m: m, stopping: stopping, stop: stop}
	if mode, ok := m.broker.(eager.Mode); ok {
		return &eagerBroker{broker: outer, mode: mode}
	}
	return outer
}

// ErrBrokerReplaced is returned by sends when the server's broker is not the one that the middleware has given it.
var ErrBrokerReplaced = errors.New("the broker was set after middleware.Install: set it before, " +
	"and give a broker that decorates another one Unwrap() brokersiface.Broker")

// checkBroker returns an error if tasks would be published past the middleware.
func (m *Middleware) checkBroker() error {
	if b, ok := find[interface{ middleware() *Middleware }](m.server.GetBroker()); !ok || b.middleware() != m {
		return ErrBrokerReplaced
	}
	return nil
}

// SetRegisteredTaskNames looks for tasks that only the middleware can call. It adds those that the server has by now: of
// two tasks that are registered at the same time Machinery may hand over the names of before the other one last.
func (b *broker) SetRegisteredTaskNames(names []string) {
	b.naming.Lock()
	defer b.naming.Unlock()
	names = slices.Concat(names, b.m.server.GetRegisteredTaskNames())
	slices.Sort(names)
	names = slices.Compact(names)
	findSlips(b.m, names)
	b.Broker.SetRegisteredTaskNames(names)
}

// Unwrap returns the broker that the middleware was installed over.
func (b *broker) Unwrap() brokersiface.Broker { return b.Broker }

func (b *broker) middleware() *Middleware { return b.m }

// Publish puts the arguments of s, and of the tasks nested in it, in envelopes where they need one, and publishes it, or
// leaves it to the batch that it belongs to. s keeps its arguments.
func (b *broker) Publish(ctx context.Context, s *tasks.Signature) error {
	ctx, ended := b.sending(ctx, s)
	if t := batchTaskOf(ctx, s); t != nil {
		t.packed, t.err = b.pack(ctx, s)
		t.ended = ended
		return nil
	}
	err := b.packAndPublish(ctx, s)
	ended(err)
	return err
}

func (b *broker) packAndPublish(ctx context.Context, s *tasks.Signature) error {
	packed, err := b.pack(ctx, s)
	if err != nil {
		return err
	}
	err = b.Broker.Publish(withOriginal(ctx, s), packed)
	afterPublish(s, packed, err)
	return err
}

// pack returns a task as it is published, signed if that is wanted.
func (b *broker) pack(ctx context.Context, s *tasks.Signature) (*tasks.Signature, error) {
	packed, err := b.m.packSignature(ctx, s, declareFormat)
	if err != nil {
		b.noteUnsent(s, err)
		return nil, err
	}
	b.m.reporter.stamp(packed, s)
	if err := b.prepare(packed); err != nil {
		deliveries.publishing(s).noteRefused(s, err)
		return nil, err
	}
	return packed, nil
}

// afterPublish notes what has become of a task that the broker was given.
func afterPublish(s, packed *tasks.Signature, err error) {
	if err != nil {
		deliveries.publishing(s).noteRefused(s, err)
		return
	}
	if d := deliveries.of(s); d != nil {
		d.reach(retried)
	}
	// Machinery's brokers fill in the routing key; callers may look at it.
	s.RoutingKey = packed.RoutingKey
}

// runsInPlace reports whether a broker runs tasks while it publishes them.
func runsInPlace(b brokersiface.Broker) bool {
	_, inPlace := b.(eager.Mode)
	return inPlace
}

// noteUnsent ends a callback that could not be published by a worker, which ignores the error.
func (b *broker) noteUnsent(s *tasks.Signature, err error) {
	if d := deliveries.publishing(s); d != nil && d.signature != s {
		b.m.failer.unsent(s, err)
	}
}

func (b *broker) prepare(packed *tasks.Signature) error {
	if err := b.m.checkBackend(); err != nil {
		return err
	}
	return b.m.signing.sign(b.Broker, packed, time.Now())
}

// StartConsuming hands the tasks that arrive to p. A broker that would stop at an error of p, or lose the task, never
// sees one.
func (b *broker) StartConsuming(consumerTag string, concurrency int, p brokersiface.TaskProcessor) (bool, error) {
	if err := b.m.checkBackend(); err != nil {
		return false, err
	}
	last := settle{b.m, b.putBack, b.m.pushDeadLetter}
	if r, ok := find[Redeliverer](b.Broker); ok && r.Redelivers() {
		last.again = handBack
		if b.m.letters.ofBroker {
			last.deadLetter = leaveDeadLetter
		}
	}
	return b.Broker.StartConsuming(consumerTag, concurrency, b.m.newProcessor(b.stopping, p, last))
}

// StopConsuming stops the workers.
func (b *broker) StopConsuming() {
	b.stop()
	b.Broker.StopConsuming()
}

// AssignWorker makes p run the tasks that are published. The caller of Publish gets the error of p.
func (b *eagerBroker) AssignWorker(p brokersiface.TaskProcessor) {
	b.mode.AssignWorker(b.m.newProcessor(b.stopping, p, answer{settle{b.m, handBack, b.m.pushDeadLetter}}))
}
