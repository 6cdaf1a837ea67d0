package middleware

import (
	"context"
	"errors"
	"fmt"

	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// ErrEmpty is returned for a chain or group of no tasks.
var ErrEmpty = errors.New("no tasks")

// SendTask publishes a task. The context reaches converters and the broker.
func (m *Middleware) SendTask(ctx context.Context, s *tasks.Signature) (*result.AsyncResult, error) {
	return m.server.SendTaskWithContext(ctx, s)
}

// SendChain publishes the first task of a chain; the others follow it. Unlike
// Machinery's SendChainWithContext it keeps the context.
func (m *Middleware) SendChain(ctx context.Context, chain *tasks.Chain) (*result.ChainAsyncResult, error) {
	if len(chain.Tasks) == 0 {
		return nil, fmt.Errorf("send chain: %w", ErrEmpty)
	}
	if _, err := m.server.SendTaskWithContext(ctx, chain.Tasks[0]); err != nil {
		return nil, err
	}
	return result.NewChainAsyncResult(chain.Tasks, m.server.GetBackend()), nil
}

// SendGroup publishes the members of a group, concurrency of them at a time, or
// all at once for 0. Unlike Machinery's it puts all arguments in envelopes
// before it publishes the first: a member whose arguments cannot be sent keeps
// the others from being sent too.
func (m *Middleware) SendGroup(ctx context.Context, group *tasks.Group, concurrency int) ([]*result.AsyncResult, error) {
	sealed, err := m.sealGroup(ctx, group)
	if err != nil {
		return nil, err
	}
	return m.server.SendGroupWithContext(ctx, sealed, concurrency)
}

// SendChord does for a chord what SendGroup does for a group.
func (m *Middleware) SendChord(ctx context.Context, chord *tasks.Chord, concurrency int) (*result.ChordAsyncResult, error) {
	sealed, err := m.sealGroup(ctx, chord.Group)
	if err != nil {
		return nil, err
	}
	return m.server.SendChordWithContext(ctx, &tasks.Chord{Group: sealed, Callback: chord.Callback}, concurrency)
}

func (m *Middleware) sealGroup(ctx context.Context, group *tasks.Group) (*tasks.Group, error) {
	if len(group.Tasks) == 0 {
		return nil, fmt.Errorf("send group: %w", ErrEmpty)
	}
	sealed := &tasks.Group{GroupUUID: group.GroupUUID, Tasks: make([]*tasks.Signature, len(group.Tasks))}
	for i, s := range group.Tasks {
		var err error
		if sealed.Tasks[i], err = m.seal(ctx, s, vouch); err != nil {
			return nil, fmt.Errorf("send group: %w", err)
		}
	}
	return sealed, nil
}
