package middlewaretest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/RichardKnop/machinery/v2/common"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// ErrNoState is returned for the state of a task, and the states of a group, that the result backend does not have.
var ErrNoState = errors.New("no state is kept")

// backend keeps the states of tasks in the memory, as JSON.
type backend struct {
	common.Backend
	memory *memory
}

func newBackend(cnf *config.Config, m *memory) *backend {
	return &backend{common.NewBackend(cnf), m}
}

// stays lists, for the states that a worker writes, what they do not take the place of: a task that is delivered again
// does not take back that it has ended.
var stays = map[string][]string{
	tasks.StateReceived: {tasks.StateStarted, tasks.StateSuccess, tasks.StateFailure},
	tasks.StateStarted:  {tasks.StateSuccess, tasks.StateFailure},
	tasks.StateRetry:    {tasks.StateSuccess, tasks.StateFailure},
	tasks.StateFailure:  {tasks.StateSuccess},
}

// write keeps a state in the place of the one before, unless that stays.
func (b *backend) write(state *tasks.TaskState) error {
	b.memory.step("set " + state.State)
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	if before, err := b.memory.state(state.TaskUUID); err == nil && state.State != tasks.StatePending {
		if slices.Contains(stays[state.State], before.State) {
			return nil
		}
		state.CreatedAt, state.TaskName = before.CreatedAt, before.TaskName
	}
	text, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("encode state of task %s: %w", state.TaskUUID, err)
	}
	b.memory.states[state.TaskUUID] = text
	return nil
}

// state returns the state of a task, or ErrNoState.
func (m *memory) state(uuid string) (*tasks.TaskState, error) {
	text, ok := m.states[uuid]
	if !ok {
		return nil, fmt.Errorf("task %s: %w", uuid, ErrNoState)
	}
	state := new(tasks.TaskState)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(state); err != nil {
		return nil, fmt.Errorf("decode state of task %s: %w", uuid, err)
	}
	return state, nil
}

// SetStatePending keeps the state of a task that is sent.
func (b *backend) SetStatePending(s *tasks.Signature) error {
	return b.write(tasks.NewPendingTaskState(s))
}

// SetStateReceived keeps the state of a task that a worker has.
func (b *backend) SetStateReceived(s *tasks.Signature) error {
	return b.write(tasks.NewReceivedTaskState(s))
}

// SetStateStarted keeps the state of a task that begins.
func (b *backend) SetStateStarted(s *tasks.Signature) error {
	return b.write(tasks.NewStartedTaskState(s))
}

// SetStateRetry keeps the state of a task that will run again.
func (b *backend) SetStateRetry(s *tasks.Signature) error {
	return b.write(tasks.NewRetryTaskState(s))
}

// SetStateSuccess keeps the results of a task.
func (b *backend) SetStateSuccess(s *tasks.Signature, results []*tasks.TaskResult) error {
	return b.write(tasks.NewSuccessTaskState(s, results))
}

// SetStateFailure keeps why a task has failed.
func (b *backend) SetStateFailure(s *tasks.Signature, reason string) error {
	return b.write(tasks.NewFailureTaskState(s, reason))
}

// GetState returns the state of a task, or ErrNoState.
func (b *backend) GetState(uuid string) (*tasks.TaskState, error) {
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	return b.memory.state(uuid)
}

// PurgeState forgets the state of a task.
func (b *backend) PurgeState(uuid string) error {
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	delete(b.memory.states, uuid)
	return nil
}

// PurgeGroupMeta forgets a group.
func (b *backend) PurgeGroupMeta(groupUUID string) error {
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	delete(b.memory.groups, groupUUID)
	return nil
}
