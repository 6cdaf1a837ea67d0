package amqpadapter

import (
	"context"
	"fmt"
	"iter"

	amqp "github.com/rabbitmq/amqp091-go"
)

// browser looks into queues on a channel of its own. What it takes out and does not acknowledge goes back to its old
// place when the browser is closed.
type browser struct {
	*callChannel
	closed func()
	// queue is where messages were taken from.
	queue string
	// removed has the delivery tags of what was acknowledged.
	removed map[uint64]bool
}

// Ack removes a message that was taken out.
func (b *browser) Ack(tag uint64, multiple bool) error {
	err := b.callChannel.Ack(tag, multiple)
	if err == nil {
		b.removed[tag] = true
	}
	return err
}

// messages goes through the messages that are in the queue when it begins, the oldest first. An error ends it.
//
// It counts them when it has the first: RabbitMQ may answer a declaration before it has put back what an earlier browser
// returned, but hands nothing out before.
func (b *browser) messages(ctx context.Context, queue string) iter.Seq2[amqp.Delivery, error] {
	return func(yield func(amqp.Delivery, error) bool) {
		b.queue = queue
		first, ok, err := b.get(ctx, queue)
		if err != nil {
			yield(amqp.Delivery{}, err)
			return
		}
		if !ok {
			return
		}
		others, err := b.count(ctx, queue)
		if err != nil {
			yield(amqp.Delivery{}, err)
			return
		}
		if !yield(first, nil) {
			return
		}
		for range others {
			d, ok, err := b.get(ctx, queue)
			if err != nil {
				yield(amqp.Delivery{}, err)
				return
			}
			if !ok || !yield(d, nil) {
				return
			}
		}
	}
}

func (b *browser) count(ctx context.Context, queue string) (int, error) {
	found, err := b.declared(ctx, queue)
	return found.Messages, err
}

// declared returns what RabbitMQ tells of a queue that exists.
func (b *browser) declared(ctx context.Context, queue string) (amqp.Queue, error) {
	var found amqp.Queue
	err := b.call(ctx, func() (err error) {
		found, err = b.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err
	})
	if err != nil {
		return amqp.Queue{}, err
	}
	return found, nil
}

func (b *browser) get(ctx context.Context, queue string) (amqp.Delivery, bool, error) {
	var d amqp.Delivery
	var ok bool
	err := b.call(ctx, func() (err error) {
		d, ok, err = b.Get(queue, false)
		return err
	})
	if err != nil {
		return amqp.Delivery{}, false, err
	}
	d.Acknowledger = b
	return d, ok, nil
}

// close puts back what was not acknowledged. The error says that what was acknowledged may come back too: RabbitMQ does
// not answer an acknowledgement, but does answer what comes after it.
func (b *browser) close(ctx context.Context) error {
	err := b.call(ctx, func() error {
		defer b.closed()
		defer func() { _ = b.Close() }()
		return b.putBack()
	})
	if err != nil && len(b.removed) > 0 {
		return fmt.Errorf("what was removed may be there again: %w", err)
	}
	return nil
}

// putBack returns when RabbitMQ will hand out nothing more before what was not acknowledged is in the queue again. What a
// channel held that is only closed may come back later.
func (b *browser) putBack() error {
	if b.queue == "" {
		return nil
	}
	if err := b.Nack(0, true, true); err != nil { // 0 stands for all
		return err
	}
	_, err := b.QueueDeclarePassive(b.queue, true, false, false, false, nil) // answered after what was sent before
	return err
}
