package redisadapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

// InitGroup notes which tasks belong to a group.
func (b *backend) InitGroup(groupUUID string, taskUUIDs []string) error {
	encoded, err := json.Marshal(&tasks.GroupMeta{
		GroupUUID: groupUUID,
		TaskUUIDs: taskUUIDs,
		CreatedAt: time.Now().UTC(),
	})
	if err != nil {
		return fmt.Errorf("encode group %s: %w", groupUUID, err)
	}
	return b.set(groupUUID, encoded)
}

// glanceLength is how many states GroupCompleted asks for at a time. Each member of a chord asks when it has
// succeeded: if each read the states of all, a chord of a thousand members would read a million.
const glanceLength = 64

// GroupCompleted tells whether all tasks of a group have ended, well or badly. The error is redis.Nil, wrapped, where
// the group or one of its states is not kept.
func (b *backend) GroupCompleted(groupUUID string, groupTaskCount int) (bool, error) {
	group, err := b.getGroup(groupUUID)
	if err != nil {
		return false, err
	}
	if len(group.TaskUUIDs) != groupTaskCount {
		return false, nil
	}
	// The members sent last are likely to end last.
	for rest := group.TaskUUIDs; len(rest) > 0; {
		at := max(0, len(rest)-glanceLength)
		states, err := b.getStates(groupUUID, rest[at:])
		if err != nil {
			return false, err
		}
		if !allCompleted(states) {
			return false, nil
		}
		rest = rest[:at]
	}
	return true, nil
}

func allCompleted(states []*tasks.TaskState) bool {
	return !slices.ContainsFunc(states, func(state *tasks.TaskState) bool { return !state.IsCompleted() })
}

// GroupTaskStates returns the states of a group's tasks, in the order of the group. The error is redis.Nil, wrapped,
// where the group or one of its states is not kept.
func (b *backend) GroupTaskStates(groupUUID string, _ int) ([]*tasks.TaskState, error) {
	group, err := b.getGroup(groupUUID)
	if err != nil {
		return nil, err
	}
	return b.getStates(groupUUID, group.TaskUUIDs)
}

// PurgeGroupMeta forgets a group, not the states of its tasks. That there is none is no error.
func (b *backend) PurgeGroupMeta(groupUUID string) error {
	return b.purge(groupUUID)
}

func (b *backend) getGroup(groupUUID string) (*tasks.GroupMeta, error) {
	var text string
	err := b.attempt(func(ctx context.Context) (err error) {
		text, err = b.client.Get(ctx, groupUUID).Result()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("group %s: %w", groupUUID, err)
	}
	group, err := decode[tasks.GroupMeta](text)
	if err != nil {
		return nil, fmt.Errorf("group %s: %w", groupUUID, err)
	}
	return group, nil
}

// getStates reads all at once. A pipeline and not MGET: in a Redis Cluster the states lie on several nodes.
func (b *backend) getStates(groupUUID string, taskUUIDs []string) ([]*tasks.TaskState, error) {
	replies := make([]*redis.StringCmd, len(taskUUIDs))
	err := b.attempt(func(ctx context.Context) error {
		_, err := b.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, taskUUID := range taskUUIDs {
				replies[i] = pipe.Get(ctx, taskUUID)
			}
			return nil
		})
		if errors.Is(err, redis.Nil) {
			return nil // told below, with what is missing
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("states of group %s: %w", groupUUID, err)
	}
	states := make([]*tasks.TaskState, len(replies))
	for i, reply := range replies {
		if errors.Is(reply.Err(), redis.Nil) {
			return nil, missingStates(groupUUID, taskUUIDs, replies)
		}
		if states[i], err = readState(taskUUIDs[i], reply); err != nil {
			return nil, fmt.Errorf("group %s: %w", groupUUID, err)
		}
	}
	return states, nil
}

func missingStates(groupUUID string, taskUUIDs []string, replies []*redis.StringCmd) error {
	var missing []string
	for i, reply := range replies {
		if errors.Is(reply.Err(), redis.Nil) {
			missing = append(missing, taskUUIDs[i])
		}
	}
	return fmt.Errorf("group %s: the states of %d tasks, %s the first, have expired or were never written (see ResultsExpireIn): %w",
		groupUUID, len(missing), missing[0], redis.Nil)
}
