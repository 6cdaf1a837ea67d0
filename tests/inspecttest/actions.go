package inspecttest

import (
	"context"
	"fmt"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// Delete implements inspect.Source.
func (s *Source) Delete(ctx context.Context, uuid string) error {
	err := s.begin(ctx, "Delete")
	defer s.mu.Unlock()
	if err != nil {
		return err
	}
	if s.unsupported != nil {
		return s.unsupported
	}
	for _, q := range s.queues {
		if task, known := q.find(uuid); known && task.State != inspect.Running {
			q.remove(uuid)
			return nil
		}
	}
	return fmt.Errorf("task %q: %w", uuid, inspect.ErrNotFound)
}

// RunNow implements inspect.Source.
func (s *Source) RunNow(ctx context.Context, uuid string) error {
	err := s.begin(ctx, "RunNow")
	defer s.mu.Unlock()
	if err != nil {
		return err
	}
	for _, q := range s.queues {
		if task, known := q.find(uuid); known && task.State == inspect.Delayed {
			q.remove(uuid)
			q.add(inspect.Waiting, *task.Signature)
			return nil
		}
	}
	return fmt.Errorf("task %q: %w", uuid, inspect.ErrNotFound)
}

// Pause implements inspect.Source.
func (s *Source) Pause(ctx context.Context, name string) error {
	return s.setPaused(ctx, "Pause", name, func(q *queue) { q.paused = true })
}

// Resume implements inspect.Source.
func (s *Source) Resume(ctx context.Context, name string) error {
	return s.setPaused(ctx, "Resume", name, func(q *queue) { q.paused = false })
}

func (s *Source) setPaused(ctx context.Context, method, name string, set func(*queue)) error {
	err := s.begin(ctx, method)
	defer s.mu.Unlock()
	if err != nil {
		return err
	}
	q, known := s.queues[name]
	if !known {
		return fmt.Errorf("queue %q: %w", name, inspect.ErrNotFound)
	}
	set(q)
	return nil
}
