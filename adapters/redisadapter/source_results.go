package redisadapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/taskjson"
)

const (
	// stateBeginning is how much is read of a state of which its name is asked: it stands before the results.
	stateBeginning = 4 << 10
	// maxCountedMembers bounds how many members of a group have their states counted.
	maxCountedMembers = 10_000
	// statesAtOnce is how many states are read at a time.
	statesAtOnce = 500
	// membersAtOnce is how many members of a page are read at a time, with their results.
	membersAtOnce = 16
)

// stateReader reads the beginnings of states of tasks.
type stateReader struct{ backend redis.UniversalClient }

// TaskState returns the state of a task in the backend.
func (s *source) TaskState(ctx context.Context, uuid string) (*tasks.TaskState, error) {
	switch {
	case s.invalid != nil:
		return nil, s.invalid
	case s.settings.Results != nil:
		return s.settings.Results.TaskState(ctx, uuid)
	}
	text, err := s.client.Get(ctx, uuid).Result()
	if err != nil && !isReply(err) {
		return nil, fmt.Errorf("state of task %.100q: %w", uuid, err)
	}
	state, err := taskjson.UnmarshalState([]byte(text))
	if err != nil || uuid == "" || state.TaskUUID != uuid {
		return nil, fmt.Errorf("state of task %.100q: %w", uuid, inspect.ErrNotFound)
	}
	return state, nil
}

// Group returns a page of a group's members.
func (s *source) Group(ctx context.Context, uuid string, page inspect.Page) (inspect.Group, error) {
	switch {
	case s.invalid != nil:
		return inspect.Group{}, s.invalid
	case s.settings.Results != nil:
		return s.settings.Results.Group(ctx, uuid, page)
	}
	text, err := s.client.Get(ctx, uuid).Result()
	if err != nil && !isReply(err) {
		return inspect.Group{}, fmt.Errorf("group %.100q: %w", uuid, err)
	}
	var meta tasks.GroupMeta
	err = json.Unmarshal([]byte(text), &meta)
	if err != nil || uuid == "" || meta.GroupUUID != uuid {
		return inspect.Group{}, fmt.Errorf("group %.100q: %w", uuid, inspect.ErrNotFound)
	}
	from, err := strconv.ParseUint("0"+page.Cursor, 10, 31)
	if err != nil {
		return inspect.Group{}, fmt.Errorf("%q: %w", page.Cursor, inspect.ErrCursor)
	}
	group := inspect.Group{UUID: uuid, Size: len(meta.TaskUUIDs)}
	if err := s.countStates(ctx, &group, meta.TaskUUIDs); err != nil {
		return inspect.Group{}, err
	}
	first := min(int(from), group.Size)
	last := min(first+page.Size(), group.Size)
	return group, s.addMembers(ctx, &group, first, meta.TaskUUIDs[first:last])
}

func (s *stateReader) countStates(ctx context.Context, group *inspect.Group, uuids []string) error {
	group.States = make(map[string]int)
	group.Counted = min(len(uuids), maxCountedMembers)
	return s.readStates(ctx, uuids[:group.Counted], stateBeginning, func(i int, text string) {
		name := ""
		if state, err := stateOf(uuids[i], text, stateBeginning); err == nil {
			name = state.State
		}
		group.States[name]++
	})
}

// addMembers adds as many of the members as a page may have bytes.
func (s *stateReader) addMembers(ctx context.Context, group *inspect.Group, first int, uuids []string) error {
	bytes := 0
	for part := range slices.Chunk(uuids, membersAtOnce) {
		if bytes >= pageBytes {
			break
		}
		err := s.readStates(ctx, part, inspect.MaxBody, func(i int, text string) {
			member := inspect.Member{UUID: part[i]}
			if state, err := stateOf(part[i], text, inspect.MaxBody); err == nil {
				member.State = state
			}
			group.Members = append(group.Members, member)
			bytes += len(text)
		})
		if err != nil {
			return err
		}
	}
	if next := first + len(group.Members); next < group.Size {
		group.Next = strconv.Itoa(next)
	}
	return nil
}

// readStates reads the beginnings of states, in order; empty where there is none, or the key is not one that may be read.
func (s *stateReader) readStates(ctx context.Context, uuids []string, cut int, each func(i int, text string)) error {
	for first := 0; first < len(uuids); first += statesAtOnce {
		part := uuids[first:min(first+statesAtOnce, len(uuids))]
		replies := make([]*redis.StringCmd, len(part))
		_, _ = s.backend.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, uuid := range part {
				replies[i] = pipe.GetRange(ctx, uuid, 0, int64(cut-1))
			}
			return nil
		})
		for i, reply := range replies {
			if err := reply.Err(); err != nil && !isReply(err) {
				return fmt.Errorf("states of tasks: %w", err)
			}
			each(first+i, reply.Val())
		}
	}
	return nil
}

// errNoState is for what is no state of the task.
var errNoState = errors.New("no state")

// stateOf reads the state of a task, without results, error and time where the text was cut at so many bytes.
func stateOf(uuid, text string, cut int) (*tasks.TaskState, error) {
	var state *tasks.TaskState
	var err error
	if len(text) < cut {
		state, err = taskjson.UnmarshalState([]byte(text))
	} else {
		state = stateBegun(text)
	}
	if err != nil || state.TaskUUID != uuid || uuid == "" {
		return nil, errNoState
	}
	return state, nil
}

// stateBegun reads what Machinery writes first of a state.
func stateBegun(text string) *tasks.TaskState {
	state := new(tasks.TaskState)
	members := map[string]*string{"TaskUUID": &state.TaskUUID, "TaskName": &state.TaskName, "State": &state.State}
	decoder := json.NewDecoder(strings.NewReader(text))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return state
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			break
		}
		key, _ := name.(string)
		member := members[key]
		if member == nil || decoder.Decode(member) != nil {
			break
		}
	}
	return state
}

// isReply reports whether an error is what Redis has answered about a key: that there is none, that it is of another
// type, or may not be read.
func isReply(err error) bool {
	return errors.Is(err, redis.Nil) || isWrongType(err) || isRefused(err)
}
