package amqpadapter

import (
	"context"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// GetPendingTasks returns the tasks that wait in the queue, next one first; of the default queue when the name is
// empty. A message that is no task is an error, and so is a queue that does not exist. Of a quorum queue that is not
// empty it returns ErrNotListable, with the number of messages: each look would count as a delivery of every task, and
// RabbitMQ drops what was delivered too often.
//
// It takes the tasks out and puts them back in their old places: no worker gets them meanwhile, and RabbitMQ marks them
// as redelivered, which does not count as an attempt. It does not return tasks that workers have taken already, wait
// for their ETA, or came a second time. A RabbitMQ that is silent for the time of WithPublishTimeout is an error.
func (b *broker) GetPendingTasks(queue string) ([]*tasks.Signature, error) {
	queue = b.queueOf(queue)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	silent := time.AfterFunc(b.publishTimeout, func() { cancel(context.DeadlineExceeded) })
	defer silent.Stop()
	pending, err := b.pendingTasks(ctx, queue, func() { silent.Reset(b.publishTimeout) })
	if err != nil {
		return nil, fmt.Errorf("pending tasks of %s: %w", queue, err)
	}
	return pending, nil
}

// pendingTasks calls heard when it has heard from RabbitMQ.
func (b *broker) pendingTasks(ctx context.Context, queue string, heard func()) ([]*tasks.Signature, error) {
	browser, err := b.publisher.browse(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = browser.close(ctx) }()
	if err := b.publisher.checkLook(ctx, browser, queue); err != nil {
		return nil, err
	}
	var pending []*tasks.Signature
	for d, err := range browser.messages(ctx, queue) {
		if err != nil {
			return nil, err
		}
		heard()
		task, err := delivery.DecodeWithin(d.Body, b.maxMessage)
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", len(pending), err)
		}
		pending = append(pending, task)
	}
	return pending, nil
}

// checkLook returns ErrNotListable where to look would do harm.
func (p *publisher) checkLook(ctx context.Context, browser *browser, queue string) error {
	n, err := browser.count(ctx, queue)
	if err != nil || n == 0 {
		return err
	}
	kind, err := p.queueType(ctx, queue)
	if err != nil {
		return err
	}
	if kind != amqp.QueueTypeClassic {
		return fmt.Errorf("%w; it is a %s queue with %d messages", ErrNotListable, kind, n)
	}
	return nil
}
