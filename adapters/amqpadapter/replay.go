package amqpadapter

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Replay sends a dead letter, given its ID, to the queue that it came from or, where that is not known, to the routing key
// of its task, and removes it once RabbitMQ has confirmed that. It runs as it was sent: nothing counts its attempts any more.
//
// It returns ErrNoDeadLetter when there is none, ErrUnroutable when there is no such queue, and the errors of a broker's
// Publish. The dead letter stays then. Lost connections may make it both stay and run.
//
// Tasks that the middleware has pushed are replayed through the exchange of the broker that was made with WithDeadLetters.
// Without one, the routing key is taken for the name of a queue.
func (d *DeadLetters) Replay(ctx context.Context, id string) error {
	return d.only(ctx, "replay", id, func(delivery amqp.Delivery) error { return d.replay(ctx, delivery) })
}

// ReplayAll replays all dead letters that are there now and returns how many. It stops at the first error.
func (d *DeadLetters) ReplayAll(ctx context.Context) (int, error) {
	var n atomic.Int64 // each may still be at work when ctx has ended
	err := d.each(ctx, func(delivery amqp.Delivery) (bool, error) {
		if err := d.replay(ctx, delivery); err != nil {
			return false, fmt.Errorf("%s: %w", idOf(delivery), err)
		}
		n.Add(1)
		return true, nil
	})
	if err != nil {
		return int(n.Load()), fmt.Errorf("replay dead letters: %w", err)
	}
	return int(n.Load()), nil
}

func (d *DeadLetters) replay(ctx context.Context, delivery amqp.Delivery) error {
	m := message{Publishing: replayed(delivery)}
	from := originOf(delivery)
	switch {
	case from.queue != "":
		m.routingKey = from.queue // of the default exchange
	case from.exchange != "" && d.topology.cnf != nil && from.exchange == d.topology.cnf.AMQP.Exchange:
		m.exchange, m.routingKey = from.exchange, from.routingKey
		m.needs = []declaration{d.topology.forPublishing(from.routingKey)}
	default:
		m.exchange, m.routingKey = from.exchange, from.routingKey
	}
	if err := d.publisher.publish(ctx, m); err != nil {
		return err
	}
	return delivery.Ack(false)
}

// countHeaders count what was tried.
var countHeaders = []string{AttemptsHeader, strangerHeader, middleware.AttemptsHeader, middleware.UnknownHeader}

// replayed is a message without the counts of what was tried, in its headers and in its task's.
func replayed(d amqp.Delivery) amqp.Publishing {
	p := republished(d)
	for name := range p.Headers {
		if strings.HasPrefix(name, deathPrefix) || slices.Contains(countHeaders, name) {
			delete(p.Headers, name)
		}
	}
	task, err := decodeTask(d.Body)
	if err != nil || !middleware.ForgetAttempts(task) {
		return p
	}
	if body, err := json.Marshal(task); err == nil {
		p.Body = body
	}
	return p
}
