package redisadapter

import (
	"context"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// writePending writes the state of a task that is about to be sent.
func writePending(b *backend, signature *tasks.Signature, state []byte) error {
	ctx := context.Background()
	if d := delivery.SentFor(ctx, signature); d != nil && b.settings.invalid == nil {
		return writePendingFor(ctx, b, d, signature, state)
	}
	switch {
	case signature.GroupUUID != "" && b.expiry != 0:
		return writePendingMember(b, signature, state)
	case !mayAnnounce(b):
		return b.set(signature.UUID, state)
	case b.paired.Load():
		announced.add(b, signature, state, announcedPause)
		return nil
	default:
		err := b.set(signature.UUID, state)
		if err == nil {
			announced.add(b, signature, nil, announcedPause)
		}
		return err
	}
}

// mayAnnounce reports whether a broker may write PENDING with the task: not in a Redis Cluster, where both lie in
// different slots.
func mayAnnounce(b *backend) bool {
	return b.settings.invalid == nil && b.identity != nil && b.pipelines.single
}

// overdueScript writes PENDING unless a worker has begun with the task meanwhile, and answers whether it has.
var overdueScript = redis.NewScript(advanceFunction + `
local stays = '(RECEIVED)(STARTED)(SUCCESS)(FAILURE)'
local text = redis.call('GET', KEYS[1])
if text and string.find(stays, '(' .. (nameOf(text) or decode(text)) .. ')', 1, true) then
	return 0
end
keep(KEYS[1], ARGV[1], ARGV[2])
return 1
`)

// write writes the PENDING of a task that was not published in time, and reports whether it was written.
func (a *announcement) write() (written bool) {
	b := a.backend
	err := b.attempt(func(ctx context.Context) (err error) {
		written, err = b.pipelines.run(ctx, overdueScript, []string{a.uuid}, a.state, b.expiry.Milliseconds()).Bool()
		return err
	})
	if err != nil {
		b.settings.logger.Warn("state could not be written", "uuid", a.uuid, "state", tasks.StatePending, "error", err)
	}
	return written
}

// writePendingMember does for one member what is done for many.
func writePendingMember(b *backend, signature *tasks.Signature, state []byte) error {
	errs := make([]error, 1)
	writeManyPending(context.Background(), b, []pendingState{{signature: signature, text: state}}, errs)
	return errs[0]
}

// extendGroup has the group of a member kept for as long as the member's state.
func extendGroup(ctx context.Context, client redis.Cmdable, groupUUID string, expiry time.Duration) *redis.Cmd {
	return client.Eval(ctx, extendKey, []string{groupUUID}, expiry.Milliseconds())
}

var keepScript = redis.NewScript(keep + `
keep(KEYS[1], ARGV[1], ARGV[2])
return 0
`)

// writePendingFor writes the state of a task that belongs to one which a worker of this package is processing. It ends
// only when it succeeds, or when the worker stops: Machinery does not call Publish after an error, and forgets it. It
// works on a full Redis, which gains more by the end of the other task.
func writePendingFor(ctx context.Context, b *backend, d *delivery.Delivery, signature *tasks.Signature, state []byte) error {
	expiry := b.expiryOf(signature)
	return d.Send(outagePauses, isOutage, func() error {
		err := keepScript.Run(ctx, b.client, []string{signature.UUID}, state, expiry.Milliseconds()).Err()
		if err != nil || !isMember(signature) || b.expiry == 0 {
			return err
		}
		return extendGroup(ctx, b.client, signature.GroupUUID, expiry).Err()
	})
}
