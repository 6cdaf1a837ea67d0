package redisadapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	b.groups.forget(groupUUID)
	return b.set(groupUUID, encoded)
}

// groupChunk is how many states are asked for at a time, so that replies stay short.
const groupChunk = 64

// GroupCompleted reports whether all tasks of a group have ended, well or badly. Where the group or one of its states
// is not kept, the chord fails with ErrGroupGone, or the error is redis.Nil, wrapped, if it was not a worker of this
// process that asked.
func (b *backend) GroupCompleted(groupUUID string, groupTaskCount int) (bool, error) {
	completed, err := isCompleted(b, groupUUID, groupTaskCount)
	if err != nil {
		err = b.failChord(groupUUID, err)
	}
	if !completed {
		b.ending.leave(groupUUID)
	}
	return completed, err
}

// isCompleted has the states at hand where it returns true first: Machinery asks for them when it is to send the
// callback, and drops that where it cannot read them.
func isCompleted(b *backend, groupUUID string, groupTaskCount int) (bool, error) {
	g, ended, err := haveEnded(b, groupUUID, groupTaskCount)
	if isRefused(err) { // older ACL lines lack GETRANGE: then it takes the long way each time
		g, ended, err = new(knownGroup), true, nil
	}
	if err != nil || !ended {
		return false, err
	}
	g.gathering.Lock()
	defer g.gathering.Unlock()
	if g.gathered {
		return true, nil
	}
	states, err := b.statesOfCompleted(groupUUID, groupTaskCount)
	if states == nil {
		b.groups.forget(groupUUID)
		return false, err
	}
	b.ending.keepStates(groupUUID, states)
	g.gathered = true
	return true, nil
}

// statesOfCompleted returns nil for a group whose tasks have not all ended.
func (b *backend) statesOfCompleted(groupUUID string, groupTaskCount int) ([]*tasks.TaskState, error) {
	group, err := b.getGroup(groupUUID)
	if err != nil || len(group.TaskUUIDs) != groupTaskCount {
		return nil, err
	}
	all := make([]*tasks.TaskState, groupTaskCount)
	// The members sent last are likely to end last.
	for rest := group.TaskUUIDs; len(rest) > 0; {
		at := max(0, len(rest)-groupChunk)
		states, err := b.getStates(groupUUID, rest[at:])
		if err != nil || !allCompleted(states) {
			return nil, err
		}
		copy(all[at:], states)
		rest = rest[:at]
	}
	return all, nil
}

func allCompleted(states []*tasks.TaskState) bool {
	return !slices.ContainsFunc(states, func(state *tasks.TaskState) bool { return !state.IsCompleted() })
}

// GroupTaskStates returns the states of a group's tasks, in the order of the group. The error is redis.Nil, wrapped,
// where the group or one of its states is not kept.
func (b *backend) GroupTaskStates(groupUUID string, _ int) ([]*tasks.TaskState, error) {
	defer b.ending.leave(groupUUID)
	if states := b.ending.takeStates(groupUUID); states != nil {
		return states, nil
	}
	group, err := b.getGroup(groupUUID)
	if err != nil {
		return nil, err
	}
	return getAllStates(b, groupUUID, group.TaskUUIDs)
}

func getAllStates(b *backend, groupUUID string, taskUUIDs []string) ([]*tasks.TaskState, error) {
	all := make([]*tasks.TaskState, 0, len(taskUUIDs))
	for part := range slices.Chunk(taskUUIDs, groupChunk) {
		states, err := b.getStates(groupUUID, part)
		if err != nil {
			return nil, err
		}
		all = append(all, states...)
	}
	return all, nil
}

// PurgeGroupMeta forgets a group, not the states of its tasks. That there is none is no error.
func (b *backend) PurgeGroupMeta(groupUUID string) error {
	b.groups.forget(groupUUID)
	return errors.Join(purge(b, endedKey(groupUUID)), purge(b, groupUUID))
}

func (b *backend) getGroup(groupUUID string) (*tasks.GroupMeta, error) {
	text, err := groupText(b, groupUUID)
	if err != nil {
		return nil, err
	}
	return decodeGroup(groupUUID, text)
}

func groupText(b *backend, groupUUID string) (text string, err error) {
	err = b.attempt(func(ctx context.Context) (err error) {
		text, err = b.client.Get(ctx, groupUUID).Result()
		return err
	})
	if err != nil {
		return "", fmt.Errorf("group %s: %w", groupUUID, err)
	}
	return text, nil
}

func decodeGroup(groupUUID, text string) (*tasks.GroupMeta, error) {
	group := new(tasks.GroupMeta)
	if err := json.NewDecoder(strings.NewReader(text)).Decode(group); err != nil {
		return nil, fmt.Errorf("group %s: %w", groupUUID, unreadable([]byte(text), err))
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
			return nil // reported below, with what is missing
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
