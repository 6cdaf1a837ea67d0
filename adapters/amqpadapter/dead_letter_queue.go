package amqpadapter

import (
	"context"
	"crypto/rand"
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

	longestReason = 1024
)

// An origin is where a dead letter came from, as far as is known.
type origin struct{ exchange, routingKey, queue string }

// deadLetterQueue is where dead letters are kept.
type deadLetterQueue struct {
	publisher *publisher
	queue     string
}

// push keeps a message with all it had, and says why. It returns when RabbitMQ has confirmed it.
func (q deadLetterQueue) push(ctx context.Context, p amqp.Publishing, from origin, reason error) error {
	for name, value := range map[string]string{
		deathIDHeader:         rand.Text(),
		DeathReasonHeader:     cut(strings.ToValidUTF8(reason.Error(), "\uFFFD"), longestReason),
		DeathQueueHeader:      from.queue,
		DeathExchangeHeader:   from.exchange,
		DeathRoutingKeyHeader: from.routingKey,
	} {
		if value != "" {
			p.Headers[name] = value
		}
	}
	p.Headers[DeathTimeHeader] = time.Now()
	return q.publisher.publish(ctx, message{
		routingKey: q.queue, // of the default exchange, which knows every queue by its name
		needs:      []declaration{durableQueue(q.queue)},
		Publishing: p,
	})
}
