package redisadapter

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

// SetStatePending notes that the task was sent. Whatever state a task of that UUID had is forgotten.
func (b *backend) SetStatePending(signature *tasks.Signature) error {
	encoded, err := json.Marshal(tasks.NewPendingTaskState(signature))
	if err != nil {
		return fmt.Errorf("encode state of task %s: %w", signature.UUID, err)
	}
	b.received.take(signature.UUID)
	return b.set(signature.UUID, encoded)
}

// SetStateReceived notes that a worker has the task, unless it was started or has ended. It is written a moment later,
// or by GetState, and not at all if the worker has started the task by then; so it cannot fail.
func (b *backend) SetStateReceived(signature *tasks.Signature) error {
	b.received.put(signature, func(u *unwritten) {
		if err := b.writeReceived(u); err != nil {
			log.WARNING.Printf("redisadapter: could not note that task %q was received", u.signature.UUID)
		}
	})
	return nil
}

func (b *backend) writeReceived(u *unwritten) error {
	_, err := b.write(u.signature, u.state)
	return err
}

// SetStateStarted notes that a worker runs the task, unless it has ended.
func (b *backend) SetStateStarted(signature *tasks.Signature) error {
	_, err := b.advance(signature, tasks.NewStartedTaskState(signature))
	return err
}

// SetStateRetry notes that the task failed and will be sent again, unless it has ended.
func (b *backend) SetStateRetry(signature *tasks.Signature) error {
	_, err := b.advance(signature, tasks.NewRetryTaskState(signature))
	return err
}

// SetStateSuccess notes the results of the task. If it is a member of a chord that was run to its end before, it may
// wait for the callback timeout: see WithCallbackTimeout.
func (b *backend) SetStateSuccess(signature *tasks.Signature, results []*tasks.TaskResult) error {
	before, err := b.advance(signature, tasks.NewSuccessTaskState(signature, results))
	if err != nil {
		return err
	}
	if before == tasks.StateSuccess && signature.ChordCallback != nil {
		return b.resumeChord(signature.GroupUUID, signature.ChordCallback.UUID)
	}
	return nil
}

// SetStateFailure notes why the task failed for good, unless it has succeeded.
func (b *backend) SetStateFailure(signature *tasks.Signature, reason string) error {
	_, err := b.advance(signature, tasks.NewFailureTaskState(signature, reason))
	return err
}

// GetState returns the last state of a task. Numbers in results are json.Number. The error is redis.Nil, wrapped,
// where no state is kept.
func (b *backend) GetState(taskUUID string) (*tasks.TaskState, error) {
	if u := b.received.take(taskUUID); u != nil {
		if err := b.writeReceived(u); err != nil {
			return nil, err
		}
	}
	reply := b.client.Get(context.Background(), taskUUID)
	return readState(taskUUID, reply)
}

// PurgeState forgets the state of a task. That there is none is no error.
func (b *backend) PurgeState(taskUUID string) error {
	b.received.take(taskUUID)
	return b.purge(taskUUID)
}

func readState(taskUUID string, reply *redis.StringCmd) (*tasks.TaskState, error) {
	text, err := reply.Result()
	if err != nil {
		return nil, fmt.Errorf("state of task %s: %w", taskUUID, err)
	}
	state, err := decode[tasks.TaskState](text)
	if err != nil {
		return nil, fmt.Errorf("state of task %s: %w", taskUUID, err)
	}
	return state, nil
}
