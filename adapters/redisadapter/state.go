package redisadapter

import (
	"context"
	"errors"
	"fmt"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

// SetStatePending notes that the task was sent.
func (b *backend) SetStatePending(signature *tasks.Signature) error {
	return b.writeState(tasks.NewPendingTaskState(signature))
}

// SetStateReceived notes that a worker has the task.
func (b *backend) SetStateReceived(signature *tasks.Signature) error {
	return b.updateState(tasks.NewReceivedTaskState(signature))
}

// SetStateStarted notes that a worker runs the task.
func (b *backend) SetStateStarted(signature *tasks.Signature) error {
	return b.updateState(tasks.NewStartedTaskState(signature))
}

// SetStateRetry notes that the task failed and will be sent again.
func (b *backend) SetStateRetry(signature *tasks.Signature) error {
	return b.updateState(tasks.NewRetryTaskState(signature))
}

// SetStateSuccess notes the results of the task.
func (b *backend) SetStateSuccess(signature *tasks.Signature, results []*tasks.TaskResult) error {
	return b.updateState(tasks.NewSuccessTaskState(signature, results))
}

// SetStateFailure notes why the task failed for good.
func (b *backend) SetStateFailure(signature *tasks.Signature, reason string) error {
	return b.updateState(tasks.NewFailureTaskState(signature, reason))
}

// GetState returns the last state of a task. Numbers in results are json.Number. The error is redis.Nil, wrapped,
// where no state is kept.
func (b *backend) GetState(taskUUID string) (*tasks.TaskState, error) {
	reply := b.client.Get(context.Background(), taskUUID)
	return readState(taskUUID, reply)
}

// PurgeState forgets the state of a task. That there is none is no error.
func (b *backend) PurgeState(taskUUID string) error {
	return b.purge(taskUUID)
}

// updateState keeps what only the sender knew: when the task was made and what it is called.
func (b *backend) updateState(state *tasks.TaskState) error {
	before, err := b.GetState(state.TaskUUID)
	switch {
	case err == nil:
		state.CreatedAt = before.CreatedAt
		state.TaskName = before.TaskName
	case !errors.Is(err, redis.Nil):
		return err
	}
	return b.writeState(state)
}

func (b *backend) writeState(state *tasks.TaskState) error {
	return b.write(context.Background(), b.client, state.TaskUUID, state)
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
