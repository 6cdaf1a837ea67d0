package amqpadapter

import (
	"context"
	"fmt"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

// publishFor sends what belongs to a task that a worker is processing: it tries for as long as the worker runs, because
// Machinery's worker forgets the error, also where the caller's context has ended, as that of a task does when its time
// is up. What can never be sent goes to the dead letters, or where they do not take it either the task that is being
// processed is kept.
func (b *broker) publishFor(ctx context.Context, d *delivery.Delivery, signature *tasks.Signature) error {
	ctx, cancel := lifecycle.WithGrace(context.WithoutCancel(ctx), d.Stopping(), b.stopTimeout)
	defer cancel()
	m, err := b.messageOf(signature)
	if err == nil {
		err = b.sendFor(d, func() error { return b.publisher.publishWhile(ctx, m, timeMayCure) })
	}
	if err == nil || mayBeSentLater(err) {
		return err
	}
	b.logger.Error("task that follows another cannot be sent, goes to the dead letters",
		"task", signature.Name, "uuid", signature.UUID, "queue", signature.RoutingKey, "error", err)
	if err := b.sendFor(d, func() error { return b.keepUnsent(ctx, signature, err) }); err != nil {
		d.Keep(err)
		return err
	}
	return nil
}

// keepUnsent puts a task that can never be sent in the dead letters, or what can be kept of it.
func (b *broker) keepUnsent(ctx context.Context, signature *tasks.Signature, reason error) error {
	letters := b.letters()
	err := letters.Push(ctx, signature, reason)
	if err == nil || mayBeSentLater(err) || ctx.Err() != nil {
		return err
	}
	return letters.pushRemains(ctx, signature, fmt.Errorf("task %s, UUID %s: %w (%w)", signature.Name, signature.UUID, reason, err))
}

func (b *broker) sendFor(d *delivery.Delivery, send func() error) error {
	return d.SendNoting(b.outage, "publish", reconnect, mayBeSentLater, send)
}
