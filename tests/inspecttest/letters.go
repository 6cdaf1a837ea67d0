package inspecttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// letters are the dead letters of a queue.
type letters struct {
	source *Source
	queue  string
}

var _ deadletter.Store = (*letters)(nil)

func (l *letters) all(ctx context.Context, method string) ([]deadletter.Letter, error) {
	err := l.source.begin(ctx, method)
	defer l.source.mu.Unlock()
	return slices.Clone(l.source.queues[l.queue].letters), err
}

// Push implements deadletter.Store.
func (l *letters) Push(ctx context.Context, s *tasks.Signature, reason error) error {
	if _, err := l.all(ctx, "Push"); err != nil {
		return err
	}
	body, err := json.Marshal(s)
	l.source.AddLetter(l.queue, deadletter.Letter{
		ID: "letter-" + s.UUID, Task: s, UUID: s.UUID, Queue: l.queue, Reason: reason.Error(), Time: time.Now().UTC(), Body: body,
	})
	return err
}

// Get implements deadletter.Store.
func (l *letters) Get(ctx context.Context, id string) (deadletter.Letter, error) {
	all, err := l.all(ctx, "Get")
	if err != nil {
		return deadletter.Letter{}, err
	}
	i := slices.IndexFunc(all, func(letter deadletter.Letter) bool { return letter.ID == id })
	if i < 0 {
		return deadletter.Letter{}, fmt.Errorf("%w: %q", deadletter.ErrNotFound, id)
	}
	return all[i], nil
}

// All implements deadletter.Store.
func (l *letters) All(ctx context.Context) iter.Seq2[deadletter.Letter, error] {
	return func(yield func(deadletter.Letter, error) bool) {
		all, err := l.all(ctx, "All")
		if err != nil {
			yield(deadletter.Letter{}, err)
			return
		}
		for _, letter := range all {
			if !yield(letter, nil) {
				return
			}
		}
	}
}

// Count implements deadletter.Store.
func (l *letters) Count(ctx context.Context) (int, error) {
	all, err := l.all(ctx, "Count")
	return len(all), err
}

// Replay implements deadletter.Store.
func (l *letters) Replay(ctx context.Context, id string) error {
	letter, err := l.Get(ctx, id)
	switch {
	case err != nil:
		return err
	case letter.Task == nil:
		return deadletter.ErrNoTask
	case letter.Queue == "":
		return deadletter.ErrUnknownQueue
	}
	l.source.AddTask(letter.Queue, inspect.Waiting, letter.Task)
	return l.Drop(ctx, id)
}

// ReplayAll implements deadletter.Store.
func (l *letters) ReplayAll(ctx context.Context) (int, error) { return l.each(ctx, l.Replay) }

// Drop implements deadletter.Store.
func (l *letters) Drop(ctx context.Context, id string) error {
	if _, err := l.Get(ctx, id); err != nil {
		return err
	}
	l.source.mu.Lock()
	defer l.source.mu.Unlock()
	q := l.source.queues[l.queue]
	q.letters = slices.DeleteFunc(q.letters, func(letter deadletter.Letter) bool { return letter.ID == id })
	return nil
}

// DropAll implements deadletter.Store.
func (l *letters) DropAll(ctx context.Context) (int, error) { return l.each(ctx, l.Drop) }

func (l *letters) each(ctx context.Context, do func(context.Context, string) error) (n int, err error) {
	for letter, listing := range l.All(ctx) {
		if listing != nil {
			return n, errors.Join(err, listing)
		}
		if failed := do(ctx, letter.ID); failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		n++
	}
	return n, err
}
