package amqpadapter

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

const (
	// dueTimeout is how long messages wait in a due queue for a forwarder. Where there is none, because all workers are
	// Machinery's own, RabbitMQ brings them on itself; what it cannot deliver it tries again every three minutes.
	dueTimeout = 2 * time.Second
	// unclaimed is a queue, and its exchange, for what no due queue takes. It would hold up the levels, which all
	// users of the virtual host share; here it waits until RabbitMQ can deliver it.
	unclaimed = delayPrefix + "unclaimed"
	// maxForwarding bounds the messages that a forwarder has at a time.
	maxForwarding = 256
)

// undeliverable makes the pauses between attempts to deliver a message that is due.
var undeliverable = backoff.Policy{First: time.Second, Last: 30 * time.Second, Jitter: true}

// dueName is that of the due queue of the exchange.
func (t topology) dueName() string { return t.cnf.AMQP.Exchange + dueSuffix }

// due makes the due queue, which RabbitMQ never refuses a message for: it has no limit of length.
func (t topology) due() []declaration {
	name := t.dueName()
	args := t.delayArgs(dueTimeout.Milliseconds(), directExchange)
	return []declaration{t.queue(unclaimed, args), t.queue(name, args), {
		id: "binding of " + name,
		declare: func(channel *amqp.Channel) error {
			if err := declareDueExchanges(channel); err != nil {
				return err
			}
			return bindQueue(channel, name, "", dueExchange, matching(delayDueHeader, t.cnf.AMQP.Exchange))
		},
	}}
}

// declareDueExchanges makes the exchanges before and after the due queues, and lets the queue of what is unclaimed take
// what is for a due queue that somebody has deleted.
func declareDueExchanges(channel *amqp.Channel) error {
	if err := declareExchange(channel, unclaimed, amqp.ExchangeFanout, nil); err != nil {
		return err
	}
	if err := bindQueue(channel, unclaimed, "", unclaimed, nil); err != nil {
		return err
	}
	if err := declareExchange(channel, dueExchange, amqp.ExchangeHeaders, amqp.Table{"alternate-exchange": unclaimed}); err != nil {
		return err
	}
	return declareExchange(channel, directExchange, amqp.ExchangeHeaders, nil)
}

// A forwarder delivers the messages that are due, and acknowledges each one when RabbitMQ has confirmed it where it is
// for. What cannot be delivered waits in the levels again: it does not hold up the others.
type forwarder struct {
	topology  topology
	publisher *publisher
	conn      *consumeConn
	letters   deadLetterQueue
	runs      *runs
	outage    *delivery.Outage
	logger    *slog.Logger
	// maxMessage bounds the messages whose tasks are named in the log.
	maxMessage int
	stopping   context.Context
	// stopTimeout bounds what is under way when the worker is to stop.
	stopTimeout time.Duration
	under       sync.WaitGroup
}

func newForwarder(b *broker, stopping context.Context) *forwarder {
	return &forwarder{
		topology:    b.topology,
		publisher:   b.publisher,
		conn:        b.consumers,
		letters:     b.lettersOf(b.GetConfig().DefaultQueue),
		runs:        b.runs,
		outage:      b.outage,
		logger:      b.logger,
		maxMessage:  b.maxMessage,
		stopping:    stopping,
		stopTimeout: b.stopTimeout,
	}
}

// run forwards until the worker is stopped.
func (f *forwarder) run() {
	part := "forward from queue " + f.topology.dueName()
	defer f.outage.Over(part) // nobody else ends an outage of this part
	for failures := 1; f.stopping.Err() == nil; failures++ {
		start, began := time.Now(), f.outage.Begin()
		err := f.forwardAll(func() { f.outage.Over(part) })
		if f.stopping.Err() != nil {
			return
		}
		f.outage.Note(part, began, err)
		if time.Since(start) > reconnect.Last {
			failures = 1
		}
		if !backoff.Sleep(f.stopping, reconnect.Pause(failures)) {
			return
		}
	}
}

// forwardAll forwards on a channel of its own, and returns why that ended.
func (f *forwarder) forwardAll(started func()) error {
	channel, err := f.conn.open(f.stopping)
	if err != nil {
		return err
	}
	// When the worker stops, what is under way and the end of the channel have one timeout together.
	ctx, done := lifecycle.WithGrace(context.Background(), f.stopping, f.stopTimeout)
	defer done()
	defer f.conn.close(ctx, channel)
	defer f.under.Wait()
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	due, err := f.subscribe(channel)
	if err != nil {
		return err
	}
	acknowledger := &acknowledger{
		channel: channel,
		runs:    f.runs,
		most:    maxAcknowledgements,
		begin:   func() func() { f.under.Add(1); return f.under.Done },
		failed:  func(received, error) {},
	}
	started()
	for {
		select {
		case <-f.stopping.Done():
			return nil
		case d, open := <-due:
			if !open {
				return failureOf(closed)
			}
			r := receivedFrom(f.topology.dueName(), d)
			acknowledger.deliver(r)
			f.under.Go(func() { f.forward(r, acknowledger) })
		}
	}
}

func (f *forwarder) subscribe(channel *callChannel) (<-chan amqp.Delivery, error) {
	for _, need := range append(f.topology.due(), f.topology.directToExchange(), f.topology.levels()) {
		if err := f.conn.declare(f.stopping, need); err != nil {
			return nil, err
		}
	}
	return channel.subscribe(f.stopping, subscription{queue: f.topology.dueName(), prefetch: maxForwarding})
}

// forward returns when the message is where it is for or in the levels again, or when others have it.
func (f *forwarder) forward(d received, acknowledger *acknowledger) {
	if d.Redelivered && f.runs.takeSettled(d.key) {
		acknowledger.acknowledge(d)
		return
	}
	for failures := 1; ; failures++ {
		if f.bring(d.Delivery) == nil {
			acknowledger.acknowledge(d) // it comes again where that fails
			return
		}
		if !keptFor(f.stopping, d, reconnect.Pause(failures)) {
			return
		}
	}
}

// bring returns nil when a message is where it is for, in the dead letters, or in the levels again.
func (f *forwarder) bring(d amqp.Delivery) error {
	ctx, cancel := lifecycle.WithGrace(context.Background(), f.stopping, f.stopTimeout)
	defer cancel()
	err := f.deliver(ctx, d)
	if errors.Is(err, ErrTooLarge) {
		from := origin{exchange: f.topology.cnf.AMQP.Exchange, routingKey: d.RoutingKey}
		err = f.letters.push(ctx, (*publisher).publishUnlessNacked, republished(d), from, err)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return f.postpone(ctx, d, err)
}

// deliver sends a message that is due to where it is for.
func (f *forwarder) deliver(ctx context.Context, d amqp.Delivery) error {
	m := message{routingKey: d.RoutingKey, Publishing: republished(d)}
	if queue := text(d.Headers[delayQueueHeader]); queue != "" {
		f.topology.delayToQueue(&m, queue, 0)
	} else {
		m.exchange = f.topology.cnf.AMQP.Exchange
		m.needs = f.topology.forPublishing(d.RoutingKey)
	}
	return f.publisher.publishUnlessNacked(ctx, m)
}

// postpone sends a message that could not be delivered to the levels again, for a pause that grows.
func (f *forwarder) postpone(ctx context.Context, d amqp.Delivery, why error) error {
	tries := countIn(d.Headers, delayTriesHeader) + 1
	if tries == 1 {
		naming(f.logger, d, f.maxMessage).Warn("task that is due cannot be delivered, trying again",
			"routing-key", d.RoutingKey, "error", why)
	}
	m := message{routingKey: d.RoutingKey, Publishing: republished(d)}
	m.Headers[delayTriesHeader] = int32(tries)
	by := milliseconds(undeliverable.Pause(tries))
	if queue := text(d.Headers[delayQueueHeader]); queue != "" {
		f.topology.delayToQueue(&m, queue, by)
		m.needs = m.needs[1:] // the queue itself may be missing
	} else {
		f.topology.delayToExchange(&m, by)
	}
	return f.publisher.publish(ctx, m)
}
