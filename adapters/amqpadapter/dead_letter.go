package amqpadapter

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// A DeadLetter is a message in the dead letters. Its Attributes are its AMQP headers, and where that is known the
// exchange and the routing key that it was published with, under DeathExchangeHeader and DeathRoutingKeyHeader.
type DeadLetter = deadletter.Letter

func newDeadLetter(d amqp.Delivery, t *topology, maxMessage int) DeadLetter {
	from := originOf(d)
	letter := DeadLetter{
		ID:         idOf(d),
		Queue:      from.queueIn(t),
		Reason:     text(d.Headers[DeathReasonHeader]),
		Body:       d.Body,
		Attributes: attributesOf(d, from),
	}
	if task, err := delivery.DecodeWithin(d.Body, maxMessage); err == nil {
		letter.Task, letter.UUID = task, task.UUID
	}
	died, _ := d.Headers[DeathTimeHeader].(time.Time)
	if death := deathOf(d); death != nil && !isOurs(d) {
		letter.Reason = text(death["reason"])
		died, _ = death["time"].(time.Time)
	}
	if !died.IsZero() {
		letter.Time = died.UTC()
	}
	return letter
}

func attributesOf(d amqp.Delivery, from origin) map[string]any {
	attributes := make(map[string]any, len(d.Headers)+2)
	for name, value := range d.Headers {
		attributes[name] = value
	}
	if from.exchange != "" {
		attributes[DeathExchangeHeader] = from.exchange
	}
	if from.routingKey != "" {
		attributes[DeathRoutingKeyHeader] = from.routingKey
	}
	return attributes
}

// isOurs reports whether a broker or Push has put a message here, not RabbitMQ itself.
func isOurs(d amqp.Delivery) bool { return text(d.Headers[deathIDHeader]) != "" }

// idOf returns what tells a dead letter from others: what push has given it, or a checksum where RabbitMQ put it here.
func idOf(d amqp.Delivery) string {
	if id := text(d.Headers[deathIDHeader]); id != "" {
		return id
	}
	sum := sha256.Sum256(d.Body)
	return hex.EncodeToString(sum[:16])
}

// originOf reads where a dead letter came from, in our headers or in those that RabbitMQ sets.
func originOf(d amqp.Delivery) origin {
	death := deathOf(d)
	if death == nil || isOurs(d) {
		return origin{
			exchange:   text(d.Headers[DeathExchangeHeader]),
			routingKey: text(d.Headers[DeathRoutingKeyHeader]),
			queue:      text(d.Headers[DeathQueueHeader]),
		}
	}
	from := origin{exchange: text(death["exchange"]), queue: text(death["queue"])}
	if keys, _ := death["routing-keys"].([]any); len(keys) > 0 {
		from.routingKey = text(keys[0])
	}
	return from
}

// queueIn returns the queue of a letter: the one that it was received from, else the one that its routing key leads to;
// empty where that is not known.
func (from origin) queueIn(t *topology) string {
	switch {
	case from.queue != "" || from.routingKey == "":
		return from.queue
	case from.exchange == "":
		return from.routingKey // of the default exchange, which knows every queue by its name
	case t != nil && t.isDirect() && from.exchange == t.cnf.AMQP.Exchange:
		queue, _ := t.queueFor(from.routingKey)
		return queue
	default:
		return ""
	}
}

func (from origin) String() string {
	if from.queue != "" {
		return strconv.Quote(from.queue)
	}
	return fmt.Sprintf("that of exchange %q and routing key %q", from.exchange, from.routingKey)
}

// deathOf returns RabbitMQ's account of the latest death of a message in a queue where it was not only delayed.
func deathOf(d amqp.Delivery) amqp.Table {
	deaths, _ := d.Headers["x-death"].([]any)
	for _, entry := range deaths {
		if death, ok := entry.(amqp.Table); ok && !isDelayQueue(text(death["queue"])) {
			return death
		}
	}
	return nil
}

func text(value any) string {
	s, _ := value.(string)
	return s
}
