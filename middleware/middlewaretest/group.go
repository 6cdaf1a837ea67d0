package middlewaretest

import (
	"fmt"
	"slices"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// A group is what is kept of a group or chord beside the states of its members.
type group struct {
	members     []string // UUIDs
	isTriggered bool     // a worker was told to send the chord's callback
}

// InitGroup keeps which tasks are in a group.
func (b *backend) InitGroup(groupUUID string, taskUUIDs []string) error {
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	b.memory.groups[groupUUID] = &group{members: slices.Clone(taskUUIDs)}
	return nil
}

// GroupCompleted reports whether every task of a group has ended.
func (b *backend) GroupCompleted(groupUUID string, _ int) (bool, error) {
	states, err := b.GroupTaskStates(groupUUID, 0)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(states, func(s *tasks.TaskState) bool { return !s.IsCompleted() }), nil
}

// GroupTaskStates returns the states of the tasks of a group in the order of the group, or ErrNoState.
func (b *backend) GroupTaskStates(groupUUID string, _ int) ([]*tasks.TaskState, error) {
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	g, ok := b.memory.groups[groupUUID]
	if !ok {
		return nil, fmt.Errorf("group %s: %w", groupUUID, ErrNoState)
	}
	states := make([]*tasks.TaskState, len(g.members))
	for i, uuid := range g.members {
		var err error
		if states[i], err = b.memory.state(uuid); err != nil {
			return nil, fmt.Errorf("group %s: %w", groupUUID, err)
		}
	}
	return states, nil
}

// TriggerChord returns true once for each group: to the worker that is to send the chord's callback. It does so again
// where that worker has not sent it and the member is delivered again.
func (b *backend) TriggerChord(groupUUID string) (bool, error) {
	b.memory.step("triggered the chord's callback")
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	g, ok := b.memory.groups[groupUUID]
	if !ok {
		return false, fmt.Errorf("group %s: %w", groupUUID, ErrNoState)
	}
	triggers := !g.isTriggered
	g.isTriggered = true
	return triggers, nil
}

// freeCallback lets the callback of a chord be triggered again whose member was not processed to its end, unless the
// callback was sent.
func (m *memory) freeCallback(p *message) {
	callback, g := p.signature.ChordCallback, m.groups[p.signature.GroupUUID]
	if callback != nil && g != nil && m.latest[callback.UUID] == nil {
		g.isTriggered = false
	}
}
