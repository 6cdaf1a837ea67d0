package inspect

import (
	"context"
	"errors"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// SelectedTasks are the tasks of a queue, in one state, that a filter has chosen. It keeps their UUIDs. It is for one
// goroutine at a time.
type SelectedTasks struct {
	Selection
	source   Source
	registry *envelope.Registry
	filter   Filter
	queue    string
	state    State
	seen     map[string]struct{}
}

// SelectTasks looks through the tasks of a queue in one state, reads their arguments by a registry, which may be nil, and
// changes nothing. Messages that are no tasks are unread. Errors are those of the source and of ctx.
func SelectTasks(ctx context.Context, source Source, r *envelope.Registry, queue string, state State, f Filter) (*SelectedTasks, error) {
	s := &SelectedTasks{source: source, registry: r, filter: f, queue: queue, state: state, seen: map[string]struct{}{}}
	if err := tasksIn(source, queue, state).each(ctx, s.choose); err != nil {
		return nil, err
	}
	return s, nil
}

// choose takes a task that the filter chooses, and reports whether there is room for more.
func (s *SelectedTasks) choose(ctx context.Context, task Task) (more bool, err error) {
	if _, ok := s.seen[task.UUID]; ok {
		return true, nil // it has moved on to a later page
	}
	if task.UUID == "" {
		s.Unread++
		return true, nil
	}
	if task.Signature == nil && !s.filter.IsZero() { // too large for a list
		if task, err = s.source.Task(ctx, task.UUID); errors.Is(err, ErrNotFound) {
			return true, nil // it is gone already
		}
		if err != nil {
			return false, err
		}
	}
	chosen, err := s.filter.MatchTask(ctx, s.registry, task)
	switch {
	case isUnread(err):
		s.Unread++
		return true, nil
	case err != nil || !chosen:
		return true, err
	}
	s.seen[task.UUID] = struct{}{}
	return s.add(task.UUID), nil
}

// Delete removes each task. It tells report, which may be nil, after each. A task that is gone, runs or is no longer what
// the filter chose is a failure, and it goes on. An error of the server ends it, and the end of ctx; the outcome is what
// was done until then.
func (s *SelectedTasks) Delete(ctx context.Context, report func(Progress)) (Outcome, error) {
	return s.each(ctx, report, s.source.Delete)
}

// RunNow moves each task, which is delayed, to its queue. Reports and errors are those of Delete.
func (s *SelectedTasks) RunNow(ctx context.Context, report func(Progress)) (Outcome, error) {
	return s.each(ctx, report, s.source.RunNow)
}

func (s *SelectedTasks) each(ctx context.Context, report func(Progress), do func(context.Context, string) error) (Outcome, error) {
	return s.act(ctx, report, func(ctx context.Context, index int) error {
		task, err := s.source.Task(ctx, s.ids[index])
		if err != nil {
			return err
		}
		chosen, err := s.filter.MatchTask(ctx, s.registry, task)
		if err != nil {
			return err
		}
		if !chosen || task.State != s.state || task.Queue != s.queue {
			return ErrChanged
		}
		return do(ctx, task.UUID)
	})
}
