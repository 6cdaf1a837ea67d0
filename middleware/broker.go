package middleware

import (
	"context"
	"sync"

	"github.com/RichardKnop/machinery/v2/brokers/eager"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// broker decorates a Machinery broker. Publish is the one place that every
// task passes on its way out, members of groups and chords included, and the
// processor given to StartConsuming the one place on its way in.
type broker struct {
	brokersiface.Broker
	m        *Middleware
	stopping chan struct{}
	stop     func()
}

// eagerBroker is a broker that runs tasks in place. Machinery finds that out
// by a type assertion, so only a decorator of such a broker may have
// AssignWorker.
type eagerBroker struct {
	*broker
	mode eager.Mode
}

func (m *Middleware) decorate(inner brokersiface.Broker) brokersiface.Broker {
	stopping := make(chan struct{})
	outer := &broker{Broker: inner, m: m, stopping: stopping, stop: sync.OnceFunc(func() { close(stopping) })}
	if mode, ok := inner.(eager.Mode); ok {
		return &eagerBroker{broker: outer, mode: mode}
	}
	return outer
}

// Unwrap returns the broker that the middleware was installed over.
func (b *broker) Unwrap() brokersiface.Broker { return b.Broker }

func (b *broker) middleware() *Middleware { return b.m }

// Publish puts the arguments of s, and of the tasks nested in it, in envelopes
// where they need one, and publishes it. s keeps its arguments.
func (b *broker) Publish(ctx context.Context, s *tasks.Signature) error {
	sealed, err := b.m.seal(ctx, s, declareFormat)
	if err != nil {
		return err
	}
	if err := b.publish(ctx, sealed); err != nil {
		return err
	}
	// Machinery's brokers fill in the routing key; callers may look at it.
	s.RoutingKey = sealed.RoutingKey
	return nil
}

// publish signs a task whose arguments are in wire form, if that is wanted, and
// publishes it.
func (b *broker) publish(ctx context.Context, s *tasks.Signature) error {
	if err := b.m.checkBackend(); err != nil {
		return err
	}
	if err := b.m.sign(s); err != nil {
		return err
	}
	return b.Broker.Publish(ctx, s)
}

// StartConsuming hands the tasks that arrive to p. The inner broker never sees an
// error of p that would make it stop, or lose the task.
func (b *broker) StartConsuming(consumerTag string, concurrency int, p brokersiface.TaskProcessor) (bool, error) {
	if err := b.m.checkBackend(); err != nil {
		return false, err
	}
	return b.Broker.StartConsuming(consumerTag, concurrency, &processor{TaskProcessor: p, m: b.m, settle: b.settle})
}

// StopConsuming stops the workers.
func (b *broker) StopConsuming() {
	b.stop()
	b.Broker.StopConsuming()
}

// AssignWorker makes p run the tasks that are published. The caller of Publish
// gets the error of p.
func (b *eagerBroker) AssignWorker(p brokersiface.TaskProcessor) {
	settle := func(_ *tasks.Signature, err error) error { return err }
	b.mode.AssignWorker(&processor{TaskProcessor: p, m: b.m, settle: settle})
}
