package middleware

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/RichardKnop/machinery/v2/brokers/errs"
	"github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

const (
	// mostPutBacks is how often a task comes back because of the same trouble.
	mostPutBacks = 10
	// The pause before a task comes back doubles from the first to the last.
	firstPause = time.Second
	lastPause  = time.Minute
)

// ErrPutBack is the reason of a dead letter that was put back too often.
var ErrPutBack = errors.New("put back too often")

// settle decides what becomes of a task that the worker could not see to its
// end. Machinery's brokers would tear their consumer down, or acknowledge the
// message and forget it. pristine is the signature as it was received.
func (b *broker) settle(pristine *tasks.Signature, err error) error {
	switch {
	case err == nil, errors.Is(err, errs.ErrStopTaskDeletion):
		return err
	case isUnreadable(err):
		// The worker has set FAILURE: trying again would change nothing.
		// Its error may hold a value, which is not for observers.
		reason := errors.Unwrap(err)
		if reason == nil {
			reason = envelope.ErrTypeMismatch
		}
		b.m.report(context.Background(), Observer.Failed, Observation{Task: pristine.Name, Err: reason})
		b.m.bury(pristine, err)
		return nil
	case attempts(pristine, AttemptsHeader) >= mostPutBacks:
		return b.giveUp(pristine, err)
	}
	log.WARNING.Printf("envelope: task %q (%q) was not processed to its end, putting it back", pristine.Name, pristine.UUID)
	return b.putBack(pristine, err)
}

// isUnreadable tells whether Machinery could not make sense of the arguments'
// types. Its error has no type of its own.
func isUnreadable(err error) bool { return strings.HasPrefix(err.Error(), "Reflect task args error") }

func (b *broker) giveUp(s *tasks.Signature, err error) error {
	log.ERROR.Printf("envelope: task %q (%q) was put back %d times, giving up", s.Name, s.UUID, mostPutBacks)
	reason := fmt.Errorf("%w: %w", ErrPutBack, err)
	b.m.report(context.Background(), Observer.Failed, Observation{Task: s.Name, Err: reason})
	_ = b.m.server.GetBackend().SetStateFailure(s, reason.Error()) // it may be what does not work
	b.m.bury(s, reason)
	return nil
}

// putBack publishes the task again, to come after a pause. It tries until it
// succeeds: nobody else has the task. When the worker stops meanwhile, the
// broker gets the error.
func (b *broker) putBack(s *tasks.Signature, cause error) error {
	n := attempts(s, AttemptsHeader)
	eta := time.Now().UTC().Add(pause(n))
	s.ETA = &eta
	countAttempt(s, AttemptsHeader)
	for try := 0; ; try++ {
		err := b.publish(context.Background(), s)
		if err == nil {
			return nil
		}
		select {
		case <-b.stopping:
			return fmt.Errorf("%w; putting it back: %w", cause, err)
		case <-time.After(pause(try)):
		}
	}
}

func pause(n int) time.Duration { return min(firstPause<<min(n, 16), lastPause) }
