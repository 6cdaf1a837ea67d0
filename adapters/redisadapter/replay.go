package redisadapter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// Replay sends the task of a dead letter again, to the end of the letter's queue, and removes the letter. It is sent as
// it was sent at first, to run now: without an ETA that has passed, and without what was counted meanwhile. An ETA that
// lies ahead is kept, but delays nothing. Where Redis fails in between, the task is sent and its letter stays. Of
// several who replay a letter at once, one does. What becomes of the task's state and its chord says deadletter.Store.
//
// The error wraps deadletter.ErrNotFound, also while somebody else replays the letter; deadletter.ErrNoTask for a
// message that would only come back, and with it envelope.ErrLimit for one that is too long (see WithMaxMessage);
// deadletter.ErrUnknownQueue where the letter has no queue, one that is none of the deployment's (see
// WithReplayQueues), or one whose key is no list; deadletter.ErrRefused for a task that the function of WithVerify does
// not let pass; or the client's.
func (d *DeadLetters) Replay(ctx context.Context, id string) error {
	letter, err := d.Get(ctx, id)
	if err != nil {
		return err
	}
	return d.replay(ctx, letter)
}

// ReplayAll replays the dead letters that are there when it begins, oldest first, and returns how many. Letters that
// cannot be replayed stay, and their errors are joined; an error of the server ends it.
func (d *DeadLetters) ReplayAll(ctx context.Context) (replayed int, err error) {
	var failed []error
	for letter, err := range d.All(ctx) {
		if err == nil {
			err = d.replay(ctx, letter)
		}
		switch {
		case err == nil:
			replayed++
		case errors.Is(err, deadletter.ErrNotFound): // somebody else replays them too, or drops them
		case errors.Is(err, deadletter.ErrNoTask), errors.Is(err, deadletter.ErrUnknownQueue),
			errors.Is(err, deadletter.ErrRefused):
			failed = append(failed, err)
		default:
			return replayed, errors.Join(append(failed, err)...)
		}
	}
	return replayed, errors.Join(failed...)
}

// replayTimeout is after how long others may replay a letter that somebody has begun to replay.
const replayTimeout = 10 * time.Second

// beginReplay answers 1 to the one who is to replay a letter, and 0 where it is gone or somebody else is at it. The
// queue may lie on another node of a Redis Cluster, so it cannot be written to here.
var beginReplay = redis.NewScript(`
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then
	return 0
end
return redis.call('SET', KEYS[2], '', 'NX', 'PX', ARGV[2]) and 1 or 0
`)

func (d *DeadLetters) replay(ctx context.Context, letter DeadLetter) error {
	to, body, err := d.toSend(ctx, letter)
	if err != nil {
		return fmt.Errorf("replay dead letter %s: %w", letter.ID, err)
	}
	replaying := beside(d.key, ":replaying:"+letter.ID)
	mine, err := beginReplay.Run(ctx, d.client, []string{d.key, replaying}, letter.ID, replayTimeout.Milliseconds()).Bool()
	if err != nil {
		return fmt.Errorf("replay dead letter %s: %w", letter.ID, err)
	}
	if !mine {
		return deadletter.ErrNotFound
	}
	if err = d.send(ctx, to, body); err != nil {
		err = fmt.Errorf("replay dead letter %s: %w", letter.ID, err)
	} else if err = d.Drop(ctx, letter.ID); errors.Is(err, deadletter.ErrNotFound) {
		err = nil // somebody has dropped it meanwhile
	}
	// It expires where it cannot be removed.
	_ = d.client.Del(ctx, replaying).Err()
	return err
}

// toSend returns where a letter is replayed to, and the message.
func (d *DeadLetters) toSend(ctx context.Context, letter DeadLetter) (to destination, body []byte, err error) {
	signature, err := delivery.DecodeWithin(letter.Body, d.maxMessage)
	if err != nil {
		return destination{}, nil, err
	}
	queue, err := d.queueOf(ctx, letter, signature)
	if err != nil {
		return destination{}, nil, err
	}
	if err := delivery.Verify(d.verify, signature); err != nil {
		return destination{}, nil, err
	}
	body, err = delivery.AsSent(letter.Body, signature)
	return destinationOf(queue, signature), body, err
}

func (d *DeadLetters) send(ctx context.Context, to destination, body []byte) error {
	err := to.push(ctx, d.client, body)
	if isWrongType(err) {
		return fmt.Errorf("%w: key %s is no list: %w", deadletter.ErrUnknownQueue, to.queue, err)
	}
	return err
}

func (d *DeadLetters) queueOf(ctx context.Context, letter DeadLetter, signature *tasks.Signature) (string, error) {
	queue := letter.Queue
	if queue == "" {
		queue = signature.RoutingKey
	}
	if queue == "" {
		return "", fmt.Errorf("%w: task names none", deadletter.ErrUnknownQueue)
	}
	return queue, d.checkQueue(ctx, queue)
}
