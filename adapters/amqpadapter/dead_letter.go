package amqpadapter

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
)

// A DeadLetter is a message in the dead letters.
type DeadLetter struct {
	// ID tells it from the others, to Replay and Drop.
	ID string
	// Task is what it carries; nil where it is no task.
	Task *tasks.Signature
	// Body is the message as it came.
	Body []byte
	// Headers are its AMQP headers, with those that say how it came here.
	Headers map[string]any
	// Reason says why it is here; Queue, Exchange and RoutingKey where it came from and Time when, as far as is known.
	Reason, Queue, Exchange, RoutingKey string
	Time                                time.Time
}

func newDeadLetter(d amqp.Delivery) DeadLetter {
	letter := DeadLetter{ID: idOf(d), Body: d.Body, Headers: d.Headers, Reason: text(d.Headers[DeathReasonHeader])}
	if task, err := decodeTask(d.Body); err == nil {
		letter.Task = task
	}
	from := originOf(d)
	letter.Queue, letter.Exchange, letter.RoutingKey = from.queue, from.exchange, from.routingKey
	letter.Time, _ = d.Headers[DeathTimeHeader].(time.Time)
	if death := deathOf(d); death != nil && letter.Reason == "" {
		letter.Reason = text(death["reason"])
		letter.Time, _ = death["time"].(time.Time)
	}
	return letter
}

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
	if text(d.Headers[DeathReasonHeader]) != "" || death == nil {
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

// deathOf returns RabbitMQ's account of the latest death of a message in a queue where it was not only delayed.
func deathOf(d amqp.Delivery) amqp.Table {
	deaths, _ := d.Headers["x-death"].([]any)
	for _, entry := range deaths {
		if death, ok := entry.(amqp.Table); ok && !strings.HasPrefix(text(death["queue"]), delayPrefix) {
			return death
		}
	}
	return nil
}

func text(value any) string {
	s, _ := value.(string)
	return s
}
