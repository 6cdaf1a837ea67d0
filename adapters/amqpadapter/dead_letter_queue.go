package amqpadapter

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// These AMQP headers stand on a dead letter beside those it had.
const (
	// DeathReasonHeader says why the message is here, in up to 1024 bytes.
	DeathReasonHeader = "envelope-death-reason"
	// DeathQueueHeader names the queue that it came from; it is not set where that is not known.
	DeathQueueHeader = "envelope-death-queue"
	// DeathExchangeHeader names the exchange that it was published to.
	DeathExchangeHeader = "envelope-death-exchange"
	// DeathRoutingKeyHeader is the routing key that it was published under.
	DeathRoutingKeyHeader = "envelope-death-routing-key"
	// DeathTimeHeader is the time when it came here, as an AMQP timestamp.
	DeathTimeHeader = "envelope-death-time"

	deathIDHeader = "envelope-death-id"
	// deathPrefix begins the names of them all.
	deathPrefix = "envelope-death-"

	maxReason = 1024
)

// An origin is where a dead letter came from, as far as is known.
type origin struct{ exchange, routingKey, queue string }

// deadLetterQueue is where dead letters are kept.
type deadLetterQueue struct {
	publisher *publisher
	name      string
	// args are those with which it is declared.
	args amqp.Table
}

// push keeps a message with all it had, and says why, by one of the publisher's methods. It returns when RabbitMQ has
// confirmed it. Headers that leave no room for those of a dead letter are left out: the message would be lost
// otherwise, or never leave its queue.
func (q deadLetterQueue) push(ctx context.Context, publish publishing, p amqp.Publishing, from origin, reason error) error {
	addDeathHeaders(&p, from, reason)
	err := publish(q.publisher, ctx, q.message(p))
	if !errors.Is(err, ErrTooLarge) {
		return err
	}
	p.Headers = amqp.Table{}
	addDeathHeaders(&p, from, reason)
	return publish(q.publisher, ctx, q.message(p))
}

// publishing is a method of a publisher.
type publishing func(*publisher, context.Context, message) error

func (q deadLetterQueue) message(p amqp.Publishing) message {
	return message{
		routingKey: q.name, // of the default exchange, which knows every queue by its name
		needs:      []declaration{deadLettersIn(q.name, q.args)},
		Publishing: p,
	}
}

// addDeathHeaders replaces those that the message had.
func addDeathHeaders(p *amqp.Publishing, from origin, reason error) {
	maps.DeleteFunc(p.Headers, func(name string, _ any) bool { return strings.HasPrefix(name, deathPrefix) })
	var text string
	if reason != nil {
		text = reason.Error()
	}
	for name, value := range map[string]string{
		deathIDHeader:         rand.Text(),
		DeathReasonHeader:     cut(strings.ToValidUTF8(text, "\uFFFD"), maxReason),
		DeathQueueHeader:      from.queue,
		DeathExchangeHeader:   from.exchange,
		DeathRoutingKeyHeader: from.routingKey,
	} {
		if value != "" {
			p.Headers[name] = value
		}
	}
	p.Headers[DeathTimeHeader] = time.Now()
}
