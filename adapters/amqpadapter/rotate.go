package amqpadapter

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// rotate visits the letters of a quorum queue until visit wants no more. It puts those that stay at the end of the
// queue, all of them, which keeps their order: what is only returned counts as delivered there, and RabbitMQ drops what
// was delivered too often. A letter is acknowledged when its copy is confirmed, so that one may be there twice after a
// lost connection.
func (d *DeadLetters) rotate(ctx context.Context, b *browser, visit func(amqp.Delivery) (more bool, err error)) error {
	var acked acknowledged
	var letters []amqp.Delivery
	for letter, err := range b.messages(ctx, d.queue.name) {
		if err != nil {
			return err
		}
		acked.watch(&letter)
		letters = append(letters, letter)
	}
	var failure error
	for _, letter := range letters {
		more, err := visit(letter)
		if failure = err; err != nil || !more {
			break
		}
	}
	return errors.Join(failure, d.putBack(ctx, letters, &acked))
}

// putBack replaces the letters that are not acknowledged by copies.
func (d *DeadLetters) putBack(ctx context.Context, letters []amqp.Delivery, acked *acknowledged) error {
	var staying []amqp.Delivery
	var copies []message
	for _, letter := range letters {
		if !acked.tags[letter.DeliveryTag] {
			staying = append(staying, letter)
			copies = append(copies, message{routingKey: d.queue.name, Publishing: copyOf(letter)})
		}
	}
	var failures []error
	for i, err := range d.queue.publisher.publishMany(ctx, copies) {
		if err == nil {
			err = staying[i].Ack(false)
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// copyOf is a letter that keeps its ID. One that RabbitMQ itself has put here gets our headers: RabbitMQ writes its own
// only when it moves a message.
func copyOf(letter amqp.Delivery) amqp.Publishing {
	p := republished(letter)
	if isOurs(letter) {
		return p
	}
	found := newDeadLetter(letter, nil, 0) // its task does not matter
	addDeathHeaders(&p, originOf(letter), errors.New(found.Reason))
	p.Headers[deathIDHeader] = found.ID
	if found.Time.IsZero() {
		delete(p.Headers, DeathTimeHeader)
		return p
	}
	p.Headers[DeathTimeHeader] = found.Time.Truncate(time.Second)
	return p
}

// acknowledged notes which messages were acknowledged.
type acknowledged struct {
	amqp.Acknowledger
	tags map[uint64]bool
}

func (a *acknowledged) watch(d *amqp.Delivery) {
	if a.tags == nil {
		a.tags = make(map[uint64]bool)
	}
	a.Acknowledger = d.Acknowledger // one channel is that of all
	d.Acknowledger = a
}

func (a *acknowledged) Ack(tag uint64, multiple bool) error {
	err := a.Acknowledger.Ack(tag, multiple)
	if err == nil {
		a.tags[tag] = true
	}
	return err
}
