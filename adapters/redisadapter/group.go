package redisadapter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

// InitGroup notes which tasks belong to a group.
func (b *backend) InitGroup(groupUUID string, taskUUIDs []string) error {
	return b.write(context.Background(), b.client, groupUUID, &tasks.GroupMeta{
		GroupUUID: groupUUID,
		TaskUUIDs: taskUUIDs,
		CreatedAt: time.Now().UTC(),
	})
}

// GroupCompleted tells whether all tasks of a group have ended, well or badly. The error is redis.Nil, wrapped, where
// the group or one of its states is not kept.
func (b *backend) GroupCompleted(groupUUID string, groupTaskCount int) (bool, error) {
	states, err := b.GroupTaskStates(groupUUID, groupTaskCount)
	if err != nil {
		return false, err
	}
	completed := 0
	for _, state := range states {
		if state.IsCompleted() {
			completed++
		}
	}
	return completed == groupTaskCount, nil
}

// GroupTaskStates returns the states of a group's tasks, in the order of the group. The error is redis.Nil, wrapped,
// where the group or one of its states is not kept.
func (b *backend) GroupTaskStates(groupUUID string, _ int) ([]*tasks.TaskState, error) {
	ctx := context.Background()
	group, err := readGroup(groupUUID, b.client.Get(ctx, groupUUID))
	if err != nil {
		return nil, err
	}
	// A pipeline and not MGET: in a Redis Cluster the states lie on several nodes.
	replies := make([]*redis.StringCmd, len(group.TaskUUIDs))
	_, err = b.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, taskUUID := range group.TaskUUIDs {
			replies[i] = pipe.Get(ctx, taskUUID)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("states of group %s: %w", groupUUID, err)
	}
	states := make([]*tasks.TaskState, len(replies))
	for i, reply := range replies {
		if states[i], err = readState(group.TaskUUIDs[i], reply); err != nil {
			return nil, err
		}
	}
	return states, nil
}

// TriggerChord returns true once for each group, whichever process asks: to the one that is to send the chord's
// callback. The error is redis.Nil, wrapped, where the group is not kept.
func (b *backend) TriggerChord(groupUUID string) (bool, error) {
	for {
		triggered, err := b.tryTriggerChord(groupUUID)
		// Someone else wrote the group meanwhile: look again what it says now.
		if errors.Is(err, redis.TxFailedErr) {
			continue
		}
		return triggered, err
	}
}

// tryTriggerChord fails with redis.TxFailedErr when the group changes between reading and writing it.
func (b *backend) tryTriggerChord(groupUUID string) (triggered bool, err error) {
	ctx := context.Background()
	err = b.client.Watch(ctx, func(tx *redis.Tx) error {
		group, err := readGroup(groupUUID, tx.Get(ctx, groupUUID))
		if err != nil || group.ChordTriggered {
			return err
		}
		group.ChordTriggered = true
		if _, err := tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			return b.write(ctx, pipe, groupUUID, group)
		}); err != nil {
			return fmt.Errorf("trigger chord of group %s: %w", groupUUID, err)
		}
		triggered = true
		return nil
	}, groupUUID)
	return triggered, err
}

// PurgeGroupMeta forgets a group, not the states of its tasks. That there is none is no error.
func (b *backend) PurgeGroupMeta(groupUUID string) error {
	return b.purge(groupUUID)
}

func readGroup(groupUUID string, reply *redis.StringCmd) (*tasks.GroupMeta, error) {
	text, err := reply.Result()
	if err != nil {
		return nil, fmt.Errorf("group %s: %w", groupUUID, err)
	}
	group, err := decode[tasks.GroupMeta](text)
	if err != nil {
		return nil, fmt.Errorf("group %s: %w", groupUUID, err)
	}
	return group, nil
}
