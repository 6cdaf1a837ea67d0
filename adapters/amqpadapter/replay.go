package amqpadapter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Replay sends the task of a letter to the exchange, for the queue that it came from or, where that is not known, under
// the routing key of the task, and removes the letter once RabbitMQ has confirmed that. The task is sent as it was sent
// at first: without what was counted meanwhile, and without an ETA that has passed. One whose ETA is still to come goes
// to the queue at once too; a worker of this package delays it from there. What becomes of the task's state and its
// chord says deadletter.Store.
//
// It returns deadletter.ErrNotFound, deadletter.ErrNoTask, deadletter.ErrUnknownQueue where there is no such queue in
// this deployment, deadletter.ErrRefused for a task that the function of WithVerify does not let pass, and the errors
// of a broker's Publish. The letter stays then. Lost connections may make it both stay and run.
//
// The exchange is that of the broker that was made with WithDeadLetters, or of the configuration given to
// NewDeadLettersOf; queues are those that are bound to it under their name, as the senders and workers of this package
// bind them. Of an exchange that is not direct, they are those that workers of this package have consumed. Without
// either, all that is known is the queue whose dead letters have its name with ".dead" at the end.
func (d *DeadLetters) Replay(ctx context.Context, id string) error {
	err := d.find(ctx, id, func(found amqp.Delivery) error { return d.replay(ctx, found) })
	if err != nil {
		return fmt.Errorf("replay dead letter %s: %w", id, err)
	}
	return nil
}

// ReplayAll replays the letters that are there when it begins, oldest first, and returns how many. It goes on past a
// letter that cannot be replayed, and joins the errors.
func (d *DeadLetters) ReplayAll(ctx context.Context) (int, error) {
	replayed := 0
	var failures []error
	err := d.each(ctx, func(found amqp.Delivery) (more bool, err error) {
		if err := d.replay(ctx, found); err != nil {
			failures = append(failures, fmt.Errorf("replay dead letter %s: %w", idOf(found), err))
			return ctx.Err() == nil, nil
		}
		replayed++
		return true, nil
	})
	if err != nil {
		failures = append(failures, fmt.Errorf("replay dead letters: %w", err))
	}
	return replayed, errors.Join(failures...)
}

func (d *DeadLetters) replay(ctx context.Context, letter amqp.Delivery) error {
	s, err := delivery.DecodeWithin(letter.Body, d.maxMessage)
	if err != nil {
		return err
	}
	if err := delivery.Verify(d.verify, s); err != nil {
		return err
	}
	publishing, err := asSent(letter, s)
	if err != nil {
		return err
	}
	m, err := originOf(letter).address(d)
	if err != nil {
		return err
	}
	maps.Copy(publishing.Headers, m.Headers)
	m.Publishing = publishing
	err = d.queue.publisher.publish(ctx, m)
	if isMissing(err) {
		return fmt.Errorf("%w: %w", deadletter.ErrUnknownQueue, err)
	}
	if err != nil {
		return err
	}
	return letter.Ack(false)
}

// address returns the message that goes where a letter came from, in this deployment: whoever sent it at first may have
// written anything into its headers.
func (from origin) address(d *DeadLetters) (message, error) {
	t := d.topology.Load()
	if from.queue == "" && from.exchange == "" {
		from.queue = from.routingKey // of the default exchange, which knows every queue by its name
	}
	switch {
	case t == nil && from.queue+deadSuffix == d.queue.name:
		return message{routingKey: from.queue}, nil // of the default exchange
	case t == nil:
		return message{}, fmt.Errorf("%w: %s is the queue of no broker with these dead letters, see NewDeadLettersOf",
			deadletter.ErrUnknownQueue, from)
	case from.queue != "":
		return t.toQueue(from.queue), nil
	case from.exchange != t.cnf.AMQP.Exchange:
		return message{}, fmt.Errorf("%w: exchange %q is not the one of this configuration", deadletter.ErrUnknownQueue, from.exchange)
	}
	m := message{exchange: from.exchange, routingKey: from.routingKey}
	if queue, _ := t.queueFor(from.routingKey); queue == t.cnf.DefaultQueue {
		m.needs = t.forPublishing(from.routingKey)
	}
	return m, nil
}

// toQueue returns a message that goes to a queue which is bound to the exchange or, where keys say nothing about
// queues, which a worker of this package has consumed. No other queue takes it.
func (t topology) toQueue(queue string) message {
	if t.isDirect() {
		return message{exchange: t.cnf.AMQP.Exchange, routingKey: t.bindingOf(queue)}
	}
	return message{exchange: directExchange, Publishing: amqp.Publishing{Headers: amqp.Table{delayQueueHeader: queue}}}
}

// asSent is a message without the counts of what was tried, in its headers and in its task's, and without an ETA that
// has passed. The body stays as it is where that is nothing.
func asSent(letter amqp.Delivery, s *tasks.Signature) (amqp.Publishing, error) {
	p := republished(letter)
	for name := range p.Headers {
		if strings.HasPrefix(name, deathPrefix) || slices.Contains(attemptHeaders, name) {
			delete(p.Headers, name)
		}
	}
	var err error
	p.Body, err = delivery.AsSent(p.Body, s)
	return p, err
}

// attemptHeaders count what was tried: the broker, or the middleware.
var attemptHeaders = append([]string{middleware.AttemptsHeader, middleware.UnknownHeader, middleware.UnavailableHeader}, countingHeaders...)
