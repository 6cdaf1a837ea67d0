package amqpadapter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

// errNotPutBack says that letters are at their old places, where a quorum queue counts that they were delivered.
var errNotPutBack = errors.New("letters could not be published anew, so that this look counts as a delivery of them")

// rotate visits the letters of a quorum queue until visit wants no more. It puts those that stay at the end of the
// queue, all of them, which keeps their order: what is only returned counts as delivered there, and RabbitMQ drops what
// was delivered too often. So it does when ctx has ended, unless RabbitMQ does not answer or the queue is full. A letter is
// acknowledged when its copy is confirmed, so that some may be there twice after a lost connection.
func (d *DeadLetters) rotate(ctx context.Context, b *browser, visit func(amqp.Delivery) (more bool, err error)) error {
	settling, cancel := lifecycle.WithGrace(context.WithoutCancel(ctx), ctx, d.queue.publisher.deadlines.timeout)
	defer cancel()
	letters, failure := d.takeAll(ctx, settling, b)
	if failure == nil {
		failure = visitAll(b, letters, visit)
	}
	return errors.Join(failure, d.putBack(settling, b, letters))
}

// takeAll takes all letters out, or those that it has when ctx ends. It waits for the one that is on its way then: nobody
// could put it back.
func (d *DeadLetters) takeAll(ctx, settling context.Context, b *browser) (letters []amqp.Delivery, err error) {
	for letter, err := range b.messages(settling, d.queue.name) {
		if isMissing(err) {
			d.queue.publisher.forgetType(d.queue.name)
			return letters, nil // the first letter makes the queue
		}
		if err != nil {
			return letters, err
		}
		letters = append(letters, letter)
		if ctx.Err() != nil {
			return letters, context.Cause(ctx)
		}
	}
	return letters, nil
}

// visitAll ends when the connection is lost: RabbitMQ has all letters back then, and what visit sends of one it would send
// again with the next look.
func visitAll(b *browser, letters []amqp.Delivery, visit func(amqp.Delivery) (more bool, err error)) error {
	for _, letter := range letters {
		if b.IsClosed() {
			return amqp.ErrClosed
		}
		if more, err := visit(letter); err != nil || !more {
			return err
		}
	}
	return nil
}

// putBack replaces the letters that are not acknowledged by copies, a few at a time: those whose copies are confirmed and
// that are not yet acknowledged are there twice where the process dies.
func (d *DeadLetters) putBack(ctx context.Context, b *browser, letters []amqp.Delivery) error {
	staying := slices.DeleteFunc(letters, func(letter amqp.Delivery) bool { return b.removed[letter.DeliveryTag] })
	var failures []error
	for len(staying) > 0 && !b.IsClosed() { // RabbitMQ has put them back where it is closed
		some := staying[:inOrder(staying)]
		staying = staying[len(some):]
		errs := d.replace(ctx, b, some)
		failures = append(failures, errs...)
		if slices.ContainsFunc(errs, mayBeSentLater) {
			break // as would be those behind them
		}
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("%w: %w", errNotPutBack, err)
	}
	return nil
}

// inOrder returns how many of the first letters keep their order when they are published together: a large one goes beside
// the others.
func inOrder(letters []amqp.Delivery) int {
	large := func(letter amqp.Delivery) bool { return len(letter.Body) > maxShared }
	letters = letters[:min(len(letters), maxOutstanding)]
	if i := slices.IndexFunc(letters, large); i >= 0 {
		return max(i, 1)
	}
	return len(letters)
}

// replace acknowledges the letters whose copies are confirmed.
func (d *DeadLetters) replace(ctx context.Context, b *browser, letters []amqp.Delivery) []error {
	copies := make([]message, len(letters))
	for i, letter := range letters {
		copies[i] = message{routingKey: d.queue.name, Publishing: copyOf(letter)}
	}
	errs := d.queue.publisher.publishMany(ctx, copies)
	for i, letter := range letters {
		if errs[i] == nil {
			errs[i] = b.Channel.Ack(letter.DeliveryTag, false) // no removal
		}
	}
	return errs
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
