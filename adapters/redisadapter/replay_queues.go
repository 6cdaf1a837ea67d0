package redisadapter

import (
	"context"
	"fmt"
	"slices"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
)

// WithReplayQueues names the queues of the deployment, at least one: dead letters are replayed to no other. By default
// these are the queues that workers have consumed whose broker has these dead letters, and the queue that
// DeadLettersKey made the key of.
func WithReplayQueues(names ...string) DeadLettersOption {
	return deadLettersOption(func(d *DeadLetters) error {
		if len(names) == 0 {
			return invalid("WithReplayQueues()", "it needs the names of queues")
		}
		d.queues = append(d.queues, names...)
		return nil
	})
}

// WithVerify has Replay and ReplayAll ask about each task before they send it, given as it was received: where verify
// returns an error the letter stays, and the error wraps deadletter.ErrRefused and that. With middleware.SignTasks give
// it Middleware.Verify: else the worker would only refuse the task again.
func WithVerify(verify func(*tasks.Signature) error) DeadLettersOption {
	return deadLettersOption(func(d *DeadLetters) error {
		if verify == nil {
			return invalid("WithVerify(nil)", "it needs a function")
		}
		d.verify = verify
		return nil
	})
}

// queuesKey is where the queues are whose workers use these dead letters.
func (d *DeadLetters) queuesKey() string { return beside(d.key, ":queues") }

// noteQueueScript adds a queue to a set.
var noteQueueScript = redis.NewScript(whenFull + "return redis.call('SADD', KEYS[1], ARGV[1])")

// noteQueue notes a queue of the deployment, for good: who replays letters to it may find no worker there.
func (d *DeadLetters) noteQueue(ctx context.Context, queue string) error {
	if d.key == DeadLettersKey(queue) {
		return nil // it says so itself
	}
	return noteQueueScript.Run(ctx, d.client, []string{d.queuesKey()}, queue).Err()
}

// checkQueue returns deadletter.ErrUnknownQueue for a queue that is none of the deployment's. The name comes from a
// message: the key may be anything, such as a list of another application.
func (d *DeadLetters) checkQueue(ctx context.Context, queue string) error {
	if d.queues != nil {
		if slices.Contains(d.queues, queue) {
			return nil
		}
		return fmt.Errorf("%w: %s is not among those of redisadapter.WithReplayQueues", deadletter.ErrUnknownQueue, queue)
	}
	if d.key == DeadLettersKey(queue) {
		return nil
	}
	noted, err := d.client.SIsMember(ctx, d.queuesKey(), queue).Result()
	if err != nil {
		return err
	}
	if !noted {
		return fmt.Errorf("%w: no worker with these dead letters has consumed %s: see redisadapter.WithReplayQueues",
			deadletter.ErrUnknownQueue, queue)
	}
	return nil
}
