package redisadapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// replayPage is how many dead letters ReplayAll reads at a time.
const replayPage = 100

// ErrNoQueue is returned for a task that does not say to which queue it belongs, because it was never sent.
var ErrNoQueue = errors.New("task names no queue")

// Replay sends the task of a dead letter again, to the end of the queue that its RoutingKey names, else that it was
// received from, and removes the dead letter. It is sent to be run now, as it was sent at first: without an ETA, and
// without what was counted meanwhile. Where Redis fails in between, the task is sent and its dead letter stays.
//
// The error wraps ErrNoDeadLetter, ErrNoTask for a message that would only come back, ErrNoQueue, or the client's.
func (d *DeadLetters) Replay(ctx context.Context, id string) error {
	letter, err := d.Get(ctx, id)
	if err != nil {
		return err
	}
	return d.replay(ctx, letter)
}

// ReplayAll replays all dead letters that are there when it begins, oldest first, and returns how many. Those that are
// no tasks, or name no queue, stay.
func (d *DeadLetters) ReplayAll(ctx context.Context) (int, error) {
	newest, err := d.client.XRevRangeN(ctx, d.key, "+", "-", 1).Result()
	if err != nil {
		return 0, fmt.Errorf("read dead letters %s: %w", d.key, err)
	}
	if len(newest) == 0 {
		return 0, nil
	}
	replayed, from := 0, "-"
	for {
		letters, err := d.between(ctx, from, newest[0].ID, replayPage)
		if err != nil || len(letters) == 0 {
			return replayed, err
		}
		for _, letter := range letters {
			err := d.replay(ctx, letter)
			switch {
			case err == nil:
				replayed++
			case errors.Is(err, ErrNoTask), errors.Is(err, ErrNoQueue):
			case errors.Is(err, ErrNoDeadLetter): // somebody else replays them too, or drops them
			default:
				return replayed, err
			}
		}
		from = "(" + letters[len(letters)-1].ID
	}
}

func (d *DeadLetters) replay(ctx context.Context, letter DeadLetter) error {
	message, queue, err := asSent(letter)
	if err != nil {
		return fmt.Errorf("replay dead letter %s: %w", letter.ID, err)
	}
	if err := d.client.RPush(ctx, queue, message).Err(); err != nil {
		return fmt.Errorf("replay dead letter %s: %w", letter.ID, err)
	}
	return d.Drop(ctx, letter.ID)
}

// asSent takes off the message what was added to it on its way, and leaves it as it is where that is nothing.
func asSent(letter DeadLetter) (message []byte, queue string, err error) {
	signature, err := decodeTask(string(letter.Message))
	if err != nil {
		return nil, "", err
	}
	queue = signature.RoutingKey
	if queue == "" {
		queue = letter.Queue
	}
	if queue == "" {
		return nil, "", ErrNoQueue
	}
	if !middleware.ForgetAttempts(signature) && signature.ETA == nil {
		return letter.Message, queue, nil
	}
	signature.ETA = nil
	message, err = json.Marshal(signature)
	return message, queue, err
}
