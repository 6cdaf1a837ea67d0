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
	if err := m.checkBroker(); err != nil {
		return nil, fmt.Errorf("send task: %w", err)
	}
	res, err := m.server.SendTaskWithContext(ctx, s)
	if err == nil {
		m.justSent.note(s.UUID)
	}
	return res, err
}

// SendChain publishes the first task of a chain; the others follow it. Unlike Machinery's SendChainWithContext it keeps
// the context. It returns ErrEmpty for a chain of no tasks.
func (m *Middleware) SendChain(ctx context.Context, chain *tasks.Chain) (*result.ChainAsyncResult, error) {
	if len(chain.Tasks) == 0 {
		return nil, fmt.Errorf("send chain: %w", ErrEmpty)
	}
	if _, err := m.SendTask(ctx, chain.Tasks[0]); err != nil {
		return nil, err
	}
	return result.NewChainAsyncResult(chain.Tasks, m.server.GetBackend()), nil
}

// SendGroup publishes the members of a group, concurrency of them at a time, or all at once for 0; a broker that is a
// ManyPublisher, as those of both adapters are, is given all at once in any case. Unlike Machinery's it puts all arguments
// in envelopes before it publishes the first: a member whose arguments cannot be sent keeps the others from being sent
// too; the error wraps a *SendError. Where the broker refuses a member, the others are sent all the same, and it returns
// the error: that of a ManyPublisher wraps a *SendError, and the results beside it are those of the members sent, nil for
// the others. It returns ErrEmpty for a group of no tasks.
func (m *Middleware) SendGroup(ctx context.Context, group *tasks.Group, concurrency int) ([]*result.AsyncResult, error) {
	packed, err := packGroup(ctx, m, group)
	if err != nil {
		return nil, err
	}
	if !publishesMany(m) {
		return m.server.SendGroupWithContext(ctx, packed, concurrency)
	}
	all := gather(m, packed.Tasks)
	defer all.dissolve()
	results, err := m.server.SendGroupWithContext(all.with(ctx), packed, 0)
	if err != nil {
		return nil, err
	}
	if results, err = sentOf(results, all.send(ctx)); err != nil {
		return results, fmt.Errorf("send group: %w", err)
	}
	return results, nil
}

// SendChord does for a chord what SendGroup does for a group.
func (m *Middleware) SendChord(ctx context.Context, chord *tasks.Chord, concurrency int) (*result.ChordAsyncResult, error) {
	packed, err := packGroup(ctx, m, chord.Group)
	if err != nil {
		return nil, err
	}
	packedChord := &tasks.Chord{Group: packed, Callback: chord.Callback}
	if !publishesMany(m) {
		return m.server.SendChordWithContext(ctx, packedChord, concurrency)
	}
	all := gather(m, packed.Tasks)
	defer all.dissolve()
	res, err := m.server.SendChordWithContext(all.with(ctx), packedChord, 0)
	if err != nil {
		return nil, err
	}
	if err := all.send(ctx); err != nil {
		return nil, fmt.Errorf("send chord: %w", err)
	}
	return res, nil
}

func packGroup(ctx context.Context, m *Middleware, group *tasks.Group) (*tasks.Group, error) {
	if len(group.Tasks) == 0 {
		return nil, fmt.Errorf("send group: %w", ErrEmpty)
	}
	if err := m.checkBroker(); err != nil {
		return nil, fmt.Errorf("send group: %w", err)
	}
	packed := &tasks.Group{GroupUUID: group.GroupUUID, Tasks: make([]*tasks.Signature, len(group.Tasks))}
	for i, s := range group.Tasks {
		var err error
		if packed.Tasks[i], err = m.packSignature(ctx, s, markTrusted); err != nil {
			return nil, fmt.Errorf("send group: %w", refused(i, s, err))
		}
	}
	return packed, nil
}
