package redisadapter

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/taskjson"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var _ middleware.ManyPender = (*backend)(nil)

// batchPause is how long PENDING may wait for a batch that is published next, on a busy machine.
const batchPause = time.Second

// pendingState is the state of a task that is about to be sent with others.
type pendingState struct {
	place     int // among all
	signature *tasks.Signature
	text      []byte
}

// SetStatesPending does what SetStatePending does, for many tasks in few round trips. Where the broker with the same
// client sends them next, their states go with them, but for those of groups: whoever ends a member looks at all.
func (b *backend) SetStatesPending(ctx context.Context, signatures []*tasks.Signature) []error {
	errs := make([]error, len(signatures))
	var states, together []pendingState
	for i, s := range signatures {
		text, err := taskjson.MarshalState(tasks.NewPendingTaskState(s))
		if err != nil {
			errs[i] = fmt.Errorf("encode state of task %s: %w", s.UUID, err)
			continue
		}
		b.unwritten.take(s.UUID)
		state := pendingState{i, s, text}
		if s.GroupUUID == "" && mayAnnounce(b) {
			together = append(together, state)
		} else {
			states = append(states, state)
		}
	}
	if !b.paired.Load() {
		states = append(states, together...)
		for i := range together {
			together[i].text = nil // the broker is only to tell that it is there
		}
	}
	writeManyPending(ctx, b, states, errs)
	for _, state := range together {
		if errs[state.place] == nil {
			announced.add(b, state.signature, state.text, batchPause)
		}
	}
	return errs
}

// writeManyPending writes states in batches, until Redis cannot be reached.
func writeManyPending(ctx context.Context, b *backend, states []pendingState, errs []error) {
	var gaveUp error
	for part := range slices.Chunk(states, maxBatch) {
		if gaveUp == nil {
			gaveUp = ctx.Err()
		}
		replies := make([]redis.Cmder, len(part))
		if gaveUp == nil {
			gaveUp = b.attempt(func(ctx context.Context) error { return setPending(ctx, b, part, replies) })
		}
		for i, state := range part {
			err := gaveUp
			if err == nil {
				err = replies[i].Err()
			}
			if err != nil {
				errs[state.place] = fmt.Errorf("write %s: %w", state.signature.UUID, err)
			}
		}
	}
}

// setPending sends the states of a batch, and has the groups of chords among them kept as long. The error is one that
// may pass; what Redis has refused is in the replies.
func setPending(ctx context.Context, b *backend, states []pendingState, replies []redis.Cmder) error {
	extended := make(map[string]*redis.Cmd)
	_, _ = b.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		expiries := make(map[string]time.Duration)
		for i, state := range states {
			s, expiry := state.signature, b.expiryOf(state.signature)
			replies[i] = pipe.Set(ctx, s.UUID, state.text, expiry)
			if isMember(s) && b.expiry != 0 {
				expiries[s.GroupUUID] = max(expiries[s.GroupUUID], expiry)
			}
		}
		for groupUUID, expiry := range expiries {
			extended[groupUUID] = extendGroup(ctx, pipe, groupUUID, expiry)
		}
		return nil
	})
	for i, state := range states {
		if reply := extended[state.signature.GroupUUID]; reply != nil && replies[i].Err() == nil {
			replies[i].SetErr(reply.Err())
		}
		if err := replies[i].Err(); isOutage(err) {
			return err
		}
	}
	return nil
}
