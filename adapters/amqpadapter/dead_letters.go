package amqpadapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
)

// ErrNoDeadLetter is returned by Replay and Drop when there is no dead letter with the ID.
var ErrNoDeadLetter = errors.New("no such dead letter")

// DeadLetters is a durable queue of tasks that no worker can do, as they came, with the reason. Give it to the broker by
// WithDeadLetters and to the middleware by middleware.WithDeadLetters. It is safe for concurrent use.
//
// RabbitMQ does not let one look into a queue: List, Replay and Drop take messages out and put those back that shall stay,
// in their old places. RabbitMQ marks these as redelivered, and others that look at the same time do not see them.
type DeadLetters struct {
	deadLetterQueue
	// topology knows where tasks go, once a broker has been made that uses these dead letters.
	topology topology
}

// NewDeadLetters connects to the RabbitMQ at the url and declares the queue, durable and without arguments. It returns an
// error when RabbitMQ cannot be reached before ctx ends, or has the queue in another form.
func NewDeadLetters(ctx context.Context, url, queue string) (*DeadLetters, error) {
	return newDeadLetters(ctx, endpoint{urls: []string{url}}, queue)
}

// NewDeadLettersOf does the same where the broker of that configuration is, with its TLSConfig and all its addresses.
func NewDeadLettersOf(ctx context.Context, cnf *config.Config, queue string) (*DeadLetters, error) {
	return newDeadLetters(ctx, endpointOf(cnf), queue)
}

func newDeadLetters(ctx context.Context, e endpoint, queue string) (*DeadLetters, error) {
	d := &DeadLetters{deadLetterQueue: deadLetterQueue{newPublisher(e, defaultPublishTimeout), queue}}
	link, err := d.publisher.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	if err := link.ensure(ctx, durableQueue(queue)); err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	return d, nil
}

// belongTo tells where tasks go that are pushed without a word about where they came from.
func (d *DeadLetters) belongTo(cnf *config.Config) { d.topology = topology{cnf: cnf} }

// Close closes the connection. All other methods return ErrClosed from then on.
func (d *DeadLetters) Close() error { return d.publisher.close() }

// Push keeps a task, and the reason why it came here. It returns when RabbitMQ has confirmed that; the errors are those of
// a broker's Publish.
func (d *DeadLetters) Push(ctx context.Context, s *tasks.Signature, reason error) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("dead letter: encode task %s: %w", s.Name, err)
	}
	headers, err := headersOf(s)
	if err != nil {
		return fmt.Errorf("dead letter: encode task %s: %w", s.Name, err)
	}
	publishing := amqp.Publishing{
		Headers:       headers,
		ContentType:   "application/json",
		Body:          body,
		Priority:      s.Priority,
		DeliveryMode:  amqp.Persistent,
		CorrelationId: cut(s.UUID, longestShortString),
		Type:          cut(s.Name, longestShortString),
	}
	from := origin{routingKey: s.RoutingKey}
	if d.topology.cnf != nil && d.topology.check() == nil {
		from.exchange = d.topology.cnf.AMQP.Exchange
	}
	if err := d.push(ctx, publishing, from, reason); err != nil {
		return fmt.Errorf("dead letter: task %s: %w", s.Name, err)
	}
	return nil
}

// Count returns the number of dead letters.
func (d *DeadLetters) Count(ctx context.Context) (int, error) {
	n := 0
	err := d.publisher.use(ctx, func(channel *amqp.Channel) error {
		var err error
		n, err = d.count(channel)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("dead letters: %w", err)
	}
	return n, nil
}

func (d *DeadLetters) count(channel *amqp.Channel) (int, error) {
	queue, err := channel.QueueDeclarePassive(d.queue, true, false, false, false, nil)
	return queue.Messages, err
}

// List returns up to limit dead letters, the oldest first; all of them where the limit is 0.
func (d *DeadLetters) List(ctx context.Context, limit int) ([]DeadLetter, error) {
	var list []DeadLetter
	err := d.each(ctx, func(delivery amqp.Delivery) (bool, error) {
		list = append(list, newDeadLetter(delivery))
		return limit <= 0 || len(list) < limit, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	return list, nil
}

// Drop removes a dead letter, given its ID. It returns ErrNoDeadLetter when there is none.
func (d *DeadLetters) Drop(ctx context.Context, id string) error {
	return d.only(ctx, "drop", id, func(delivery amqp.Delivery) error { return delivery.Ack(false) })
}

// DropAll removes all dead letters that are there now, and returns how many.
func (d *DeadLetters) DropAll(ctx context.Context) (int, error) {
	var n atomic.Int64 // each may still be at work when ctx has ended
	err := d.each(ctx, func(delivery amqp.Delivery) (bool, error) {
		n.Add(1)
		return true, delivery.Ack(false)
	})
	if err != nil {
		return int(n.Load()), fmt.Errorf("drop dead letters: %w", err)
	}
	return int(n.Load()), nil
}

// only does something with the dead letter of an ID.
func (d *DeadLetters) only(ctx context.Context, what, id string, do func(amqp.Delivery) error) error {
	found := false
	err := d.each(ctx, func(delivery amqp.Delivery) (bool, error) {
		if idOf(delivery) != id {
			return true, nil
		}
		found = true
		return false, do(delivery)
	})
	if err == nil && !found {
		err = ErrNoDeadLetter
	}
	if err != nil {
		return fmt.Errorf("%s dead letter %s: %w", what, id, err)
	}
	return nil
}

// each visits the dead letters that are there now until visit says that it is enough. What it does not acknowledge stays.
func (d *DeadLetters) each(ctx context.Context, visit func(amqp.Delivery) (bool, error)) error {
	return d.publisher.use(ctx, func(channel *amqp.Channel) error {
		n, err := d.count(channel)
		if err != nil {
			return err
		}
		for range n {
			delivery, ok, err := channel.Get(d.queue, false)
			if err != nil || !ok {
				return err
			}
			if more, err := visit(delivery); err != nil || !more {
				return err
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		return nil
	})
}
