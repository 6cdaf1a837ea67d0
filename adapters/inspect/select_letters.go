package inspect

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// SelectedLetters are the dead letters of a queue that a filter has chosen, as they were then. It keeps their IDs and a
// hash of each. It is for one goroutine at a time.
type SelectedLetters struct {
	Selection
	store  deadletter.Store
	bodies [][sha256.Size]byte
}

// SelectLetters looks through the dead letters of a queue, reads their arguments by a registry, which may be nil, and
// changes nothing. Errors are those of the source and of ctx.
func SelectLetters(ctx context.Context, source Source, r *envelope.Registry, queue string, f Filter) (*SelectedLetters, error) {
	store, err := source.DeadLetters(queue)
	if err != nil {
		return nil, err
	}
	s := &SelectedLetters{store: store}
	err = lettersIn(source, queue).each(ctx, func(ctx context.Context, letter deadletter.Letter) (bool, error) {
		return s.choose(ctx, r, f, letter)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// choose takes a letter that the filter chooses, and reports whether there is room for more.
func (s *SelectedLetters) choose(ctx context.Context, r *envelope.Registry, f Filter, letter deadletter.Letter) (more bool, err error) {
	whole, err := s.whole(ctx, f, letter)
	if errors.Is(err, deadletter.ErrNotFound) {
		return true, nil // it is gone already
	}
	if err != nil {
		return false, err
	}
	chosen, err := f.MatchLetter(ctx, r, whole)
	switch {
	case isUnread(err):
		s.Unread++
		return true, nil
	case err != nil || !chosen:
		return true, err
	}
	if !s.add(letter.ID) {
		return false, nil
	}
	s.bodies = append(s.bodies, hashOf(letter))
	return true, nil
}

// whole returns the letter with its task, where a filter asks for what the list may have cut off.
func (s *SelectedLetters) whole(ctx context.Context, f Filter, letter deadletter.Letter) (deadletter.Letter, error) {
	if f.IsZero() || letter.Task != nil || len(letter.Body) < MaxBody {
		return letter, nil
	}
	return s.store.Get(ctx, letter.ID)
}

// hashOf returns the hash of what a list has of a letter.
func hashOf(letter deadletter.Letter) [sha256.Size]byte {
	return sha256.Sum256(letter.Body[:min(len(letter.Body), MaxBody)])
}

// Replay sends the task of each letter again, as the Replay of its store does. It tells report, which may be nil, after
// each. A letter that is gone or has changed, or that cannot be replayed, is a failure, and it goes on. An error of the
// server ends it, and the end of ctx; the outcome is what was done until then.
func (s *SelectedLetters) Replay(ctx context.Context, report func(Progress)) (Outcome, error) {
	return s.each(ctx, report, s.store.Replay)
}

// Drop removes each letter. Reports and errors are those of Replay.
func (s *SelectedLetters) Drop(ctx context.Context, report func(Progress)) (Outcome, error) {
	return s.each(ctx, report, s.store.Drop)
}

func (s *SelectedLetters) each(ctx context.Context, report func(Progress), do func(context.Context, string) error) (Outcome, error) {
	return s.act(ctx, report, func(ctx context.Context, index int) error {
		letter, err := s.store.Get(ctx, s.ids[index])
		if err != nil {
			return err
		}
		if hashOf(letter) != s.bodies[index] {
			return ErrChanged
		}
		return do(ctx, letter.ID)
	})
}
