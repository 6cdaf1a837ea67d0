package redisadapter

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// publishFor sends what belongs to a task that a worker is processing. A broker that was closed still does so: its
// workers process to their end what they have begun. So does one whose caller's context has ended, as that of a task
// does when its time is up: Machinery forgets the error.
func (b *broker) publishFor(ctx context.Context, d *delivery.Delivery, signature *tasks.Signature) error {
	if b.settings.invalid != nil {
		return b.settings.invalid
	}
	ctx = context.WithoutCancel(ctx)
	body, err := b.encode(signature)
	if err == nil {
		err = b.sendFor(d, "publish", func() error { return b.pushFor(ctx, signature, body) })
		if err == nil || isOutage(err) {
			return err
		}
	}
	withTask(b.settings.logger, signature).Error("task that follows another cannot be sent, goes to the dead letters",
		"queue", signature.RoutingKey, "error", err)
	letter := deadletter.Letter{Body: body, Queue: signature.RoutingKey, Reason: err.Error()}
	letters, token := b.deadLettersOf(b.GetConfig().DefaultQueue), rand.Text()
	return b.sendFor(d, "write dead letters", func() error { return letters.add(ctx, token, letter) })
}

func (b *broker) pushFor(ctx context.Context, signature *tasks.Signature, body []byte) error {
	if eta := signature.ETA; eta != nil && eta.After(time.Now()) {
		return b.delayed.add(ctx, addForScript, *eta, body)
	}
	script, keys := destinationOf(b.settings.sharding.pick(signature.RoutingKey), signature).whenFull()
	return script.Run(ctx, b.client, keys, body).Err()
}

func (b *broker) sendFor(d *delivery.Delivery, operation string, send func() error) error {
	return d.SendNoting(b.outage, operation, outagePauses, isOutage, send)
}
