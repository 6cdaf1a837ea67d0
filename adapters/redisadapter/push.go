package redisadapter

import (
	"context"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// push sends a task, and with it its state PENDING where that is left to it, but for that of a large message: a round trip
// costs less than a script then. A push that Redis refuses leaves no such state.
func (b *broker) push(ctx context.Context, signature *tasks.Signature, body []byte, pending *announcement) error {
	if pending == nil {
		return b.pushAlone(ctx, signature, body)
	}
	expiry, queue := pending.backend.expiry, b.settings.sharding.pick(signature.RoutingKey)
	if !waits(signature) && levelOf(signature) == 0 && len(body) <= maxPipelinedBytes {
		return b.pipelines.push(ctx, &sending{
			uuid: signature.UUID, queue: queue, expiry: expiry.Milliseconds(), state: pending.state, body: body,
		})
	}
	if len(body) < largeMessage {
		together := batchTask{signature: signature, body: body, pending: pending}
		return commandsOf(b.delayed, []batchTask{together})[0].sendAlone(ctx, b.client)
	}
	if err := b.client.Set(ctx, signature.UUID, pending.state, expiry).Err(); err != nil {
		return err
	}
	err := b.pushAlone(ctx, signature, body)
	if err != nil && !isOutage(err) {
		b.client.Del(ctx, signature.UUID)
	}
	return err
}

// waits reports whether the ETA of a task lies ahead.
func waits(signature *tasks.Signature) bool {
	return signature.ETA != nil && signature.ETA.After(time.Now())
}

func (b *broker) pushAlone(ctx context.Context, signature *tasks.Signature, body []byte) error {
	if waits(signature) {
		return b.delayed.add(ctx, addScript, *signature.ETA, body)
	}
	queue := b.settings.sharding.pick(signature.RoutingKey)
	if levelOf(signature) > 0 {
		return destinationOf(queue, signature).push(ctx, b.client, body)
	}
	return b.pipelines.rpush(ctx, queue, body)
}
