package inspect

import (
	"context"
	"errors"
	"fmt"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
)

// MaxSelected is how many tasks or letters a selection has at most.
const MaxSelected = 100_000

// ErrChanged is why something that was selected was left as it is: it is gone, or no longer what was selected.
var ErrChanged = errors.New("it has changed since it was selected")

// A Selection says what a filter has chosen.
type Selection struct {
	// Count is how many there are.
	Count int
	// Unread is how many were left out because they could not be read: of those the filter cannot tell.
	Unread int
	// More is set where there may be more than MaxSelected, which the selection does not have.
	More bool

	ids []string
}

// Progress is how far an action on a selection is.
type Progress struct {
	Done, Failed, Total int
}

// A Failure is one that was left as it is, and why.
type Failure struct {
	// ID is the UUID of a task, or the ID of a letter.
	ID  string
	Err error
}

// maxFailures bounds the memory that an action takes where everything fails.
const maxFailures = 1000

// An Outcome is what an action on a selection has done.
type Outcome struct {
	Done, Failed int
	// Failures are the first thousand.
	Failures []Failure
}

// add reports whether there is room for another.
func (s *Selection) add(id string) bool {
	if s.Count == MaxSelected {
		s.More = true
		return false
	}
	s.ids = append(s.ids, id)
	s.Count++
	return true
}

// act does something to each that was selected. It tells report after each, unless that is nil. An error that says nothing
// about the one alone ends it, as does the end of ctx.
func (s *Selection) act(ctx context.Context, report func(Progress), one func(ctx context.Context, index int) error) (Outcome, error) {
	var outcome Outcome
	for i, id := range s.ids {
		if err := ctx.Err(); err != nil {
			return outcome, err
		}
		err := one(ctx, i)
		switch {
		case err == nil:
			outcome.Done++
		case isAboutOne(err):
			outcome.fail(id, err)
		default:
			return outcome, fmt.Errorf("%s: %w", id, err)
		}
		if report != nil {
			report(Progress{Done: outcome.Done, Failed: outcome.Failed, Total: s.Count})
		}
	}
	return outcome, nil
}

func (o *Outcome) fail(id string, err error) {
	if errors.Is(err, ErrNotFound) || errors.Is(err, deadletter.ErrNotFound) {
		err = ErrChanged
	}
	o.Failed++
	if len(o.Failures) < maxFailures {
		o.Failures = append(o.Failures, Failure{id, err})
	}
}

// isAboutOne reports whether others may fare better.
func isAboutOne(err error) bool {
	for _, one := range []error{ErrChanged, ErrNotFound, ErrRunning, ErrUnread, deadletter.ErrNotFound, deadletter.ErrNoTask,
		deadletter.ErrUnknownQueue, deadletter.ErrRefused} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// isUnread reports whether an error of a filter is about what it was asked of, and not about ctx.
func isUnread(err error) bool { return errors.Is(err, ErrUnread) }
