package redisadapter

import (
	"context"
	"errors"
	"fmt"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/taskjson"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// SetStatePending notes that the task was sent. Whatever state a task of that UUID had is forgotten.
func (b *backend) SetStatePending(signature *tasks.Signature) error {
	encoded, err := taskjson.MarshalState(tasks.NewPendingTaskState(signature))
	if err != nil {
		return fmt.Errorf("encode state of task %s: %w", signature.UUID, err)
	}
	b.unwritten.take(signature.UUID)
	return writePending(b, signature, encoded)
}

// SetStateReceived notes that a worker has the task, unless it was started or has ended. It is written a moment later,
// or by GetState, and not at all if the task has ended by then; so Redis' errors are only logged.
func (b *backend) SetStateReceived(signature *tasks.Signature) error {
	if b.settings.invalid != nil {
		return b.settings.invalid
	}
	state := tasks.NewReceivedTaskState(signature)
	state.TaskName = signature.Name
	b.unwritten.put(state, b.expiryOf(signature), func(u *unwritten) {
		if err := b.writeUnwritten(u); err != nil {
			b.settings.logger.Warn("state could not be written",
				"task", u.state.TaskName, "uuid", u.state.TaskUUID, "state", u.state.State, "error", err)
		}
	})
	return nil
}

func (b *backend) writeUnwritten(u *unwritten) error {
	_, err := b.write(u.state, u.expiry)
	return err
}

// SetStateStarted notes that a worker runs the task, unless it has ended. Where RECEIVED was not written yet it is
// written as that is, if the task came from the same Redis, and that works: a worker must not begin tasks while it
// cannot write how they end.
func (b *backend) SetStateStarted(signature *tasks.Signature) error {
	if deliveryHere(b, signature) != nil && b.unwritten.follow(signature.UUID, tasks.StateStarted) {
		return nil
	}
	_, err := b.advance(signature, tasks.NewStartedTaskState(signature))
	return err
}

// deliveryHere returns the delivery of a task that a worker has taken from the Redis which keeps its state. It is nil
// where there is none, and while Redis fails: then a worker must not begin tasks.
func deliveryHere(b *backend, signature *tasks.Signature) *delivery.Delivery {
	d := delivery.SentFor(context.Background(), signature)
	if b.failing.Load() || !d.TakenFrom(b.identity) {
		return nil
	}
	return d
}

// noteReturned tells the worker that the function of a task has returned: the next one may begin while the end of this
// one is written.
func noteReturned(b *backend, signature *tasks.Signature) {
	if d := deliveryHere(b, signature); d != nil {
		d.NoteReturned()
	}
}

// SetStateRetry notes that the task failed and will be sent again, unless it has ended.
func (b *backend) SetStateRetry(signature *tasks.Signature) error {
	_, err := b.advance(signature, tasks.NewRetryTaskState(signature))
	return err
}

// SetStateSuccess notes the results of the task. If it is a member of a chord that was run to its end before, it may
// wait for the callback timeout: see WithCallbackTimeout.
func (b *backend) SetStateSuccess(signature *tasks.Signature, results []*tasks.TaskResult) error {
	before, err := end(b, signature, tasks.NewSuccessTaskState(signature, results))
	if err != nil || !isMember(signature) {
		return err
	}
	if before == tasks.StateSuccess {
		b.groups.forget(signature.GroupUUID)
		if err := b.resumeChord(signature.GroupUUID, signature.ChordCallback.UUID); err != nil {
			return err
		}
	}
	b.ending.enter(signature)
	return nil
}

// SetStateFailure notes why the task failed for good, unless it has succeeded.
func (b *backend) SetStateFailure(signature *tasks.Signature, reason string) error {
	_, err := end(b, signature, tasks.NewFailureTaskState(signature, reason))
	return err
}

// GetState returns the last state of a task. Numbers in results are json.Number. The error is redis.Nil, wrapped,
// where no state is kept, and middleware.ErrStateGone too.
func (b *backend) GetState(taskUUID string) (*tasks.TaskState, error) {
	if b.settings.invalid != nil {
		return nil, b.settings.invalid
	}
	if u := b.unwritten.take(taskUUID); u != nil {
		if err := b.writeUnwritten(u); err != nil {
			return nil, err
		}
	}
	announced.hurry(taskUUID, b)
	reply := b.client.Get(context.Background(), taskUUID)
	return readState(taskUUID, reply)
}

// PurgeState forgets the state of a task. That there is none is no error.
func (b *backend) PurgeState(taskUUID string) error {
	b.unwritten.take(taskUUID)
	announced.take(context.Background(), taskUUID, b.identity)
	return purge(b, taskUUID)
}

func readState(taskUUID string, reply *redis.StringCmd) (*tasks.TaskState, error) {
	text, err := reply.Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("%w: task %s: %w", middleware.ErrStateGone, taskUUID, err)
	}
	if err != nil {
		return nil, fmt.Errorf("state of task %s: %w", taskUUID, err)
	}
	state, err := taskjson.UnmarshalState(text)
	if err != nil {
		return nil, fmt.Errorf("state of task %s: %w", taskUUID, unreadable(text, err))
	}
	return state, nil
}
