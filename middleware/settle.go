package middleware

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/RichardKnop/machinery/v2/brokers/errs"
	"github.com/RichardKnop/machinery/v2/tasks"
)

const (
	// maxPutBacks is how often a task is put back.
	maxPutBacks = 10
	// The pause before a task comes back doubles from the first to the last.
	firstPause = time.Second
	lastPause  = time.Minute
)

// ErrPutBack is the reason of a dead letter that was put back too often.
var ErrPutBack = errors.New("put back too often")

// ErrStopped is the error of a task whose worker was stopped while the result backend was down, before it took how the
// task had ended or what follows the task. The task is to come again.
var ErrStopped = errors.New("stopped before the result backend took how the task had ended")

// settle decides what becomes of a task when its processing has ended.
type settle struct {
	m *Middleware
	// again sees to it that a task comes again whose processing has ended with an error that is not the task's.
	again func(d *delivery, err error) error
	// deadLetter makes a dead letter of a task, given as it was received. Its error is for the broker.
	deadLetter func(s *tasks.Signature, reason error) error
}

func (h settle) handle(d *delivery, err error) error {
	switch {
	case d.unwritten != nil:
		return h.again(d, d.unwritten)
	case err == nil:
		return h.keepFailure(d)
	case isStoppedCheck(err):
		return h.again(d, &stoppedError{err})
	case d.refusal != nil:
		h.m.failer.refuse(d.signature, d.refusal)
		return h.deadLetter(withoutCallbacks(d.signature), d.refusal)
	case errors.Is(err, errs.ErrStopTaskDeletion):
		return err
	case errors.Is(err, ErrUnreadable):
		s := d.original.signature()
		h.m.failer.unreadable(s, err)
		return h.deadLetter(s, err)
	case d.unkept != nil, d.progress() >= retried && errors.Is(err, ErrPanicked):
		return h.settleEnded(d, err)
	case d.progress() >= received && errors.Is(err, ErrPanicked):
		return h.settlePanicked(d, err)
	default:
		return h.again(d, err)
	}
}

// keepFailure makes a dead letter of a task whose arguments could not be restored or which, where that is wanted, has
// failed for good.
func (h settle) keepFailure(d *delivery) error {
	if d.failure == nil || d.argsErr == nil && !h.m.keepFailures {
		return nil
	}
	return h.deadLetter(d.original.signature(), d.failure)
}

// pushDeadLetter gives a task to the dead letters.
func (m *Middleware) pushDeadLetter(s *tasks.Signature, reason error) error {
	m.letters.push(s, reason)
	return nil
}

// leaveDeadLetter tells the broker to keep the message.
func leaveDeadLetter(_ *tasks.Signature, reason error) error { return &DeadLetterError{Reason: reason} }

// answer settles for a broker that runs tasks while it publishes them: the sender gets the error.
type answer struct{ settle }

func (h answer) handle(d *delivery, err error) error {
	if err == nil || d.refusal != nil {
		return h.settle.handle(d, err)
	}
	if unreadable := (*unreadableError)(nil); errors.As(err, &unreadable) {
		return unreadable.machinery
	}
	return err
}

// handBack gives a task back to a broker that delivers it again by itself.
func handBack(_ *delivery, err error) error { return err }

// putBack publishes a task again, to come after a pause, up to maxPutBacks times: Machinery's brokers would tear their
// consumer down at an error, or acknowledge the message and forget it.
func (b *broker) putBack(d *delivery, err error) error {
	s := d.original.signature()
	n := attempts(s, AttemptsHeader)
	if n >= maxPutBacks {
		reason := fmt.Errorf("%w: %w", ErrPutBack, err)
		b.m.failer.abandon(s, reason)
		b.m.letters.push(s, reason)
		return nil
	}
	b.m.reporter.about(s).Warn("envelope: a task was not processed to its end, putting it back", errorKind(err), stackOf(err))
	eta := time.Now().UTC().Add(pause(n))
	s.ETA = &eta
	countAttempt(s, AttemptsHeader)
	return b.publishUntilStopped(s, err)
}

// publishPacked signs a task whose arguments are packed, if that is wanted, and publishes it.
func (b *broker) publishPacked(s *tasks.Signature) error {
	s.Headers = maps.Clone(s.Headers) // a broker that has refused the task before may have kept them
	if err := b.prepare(s); err != nil {
		return err
	}
	return b.Broker.Publish(withOriginal(context.Background(), s), s)
}

// publishUntilStopped tries until it succeeds: nobody else has the task. When the worker stops meanwhile, the broker
// gets the error.
func (b *broker) publishUntilStopped(s *tasks.Signature, cause error) error {
	for try := 0; ; try++ {
		err := b.publishPacked(s)
		if err == nil {
			return nil
		}
		select {
		case <-b.stopping.Done():
			return fmt.Errorf("%w; putting it back: %w", cause, err)
		case <-time.After(pause(try)):
		}
	}
}

func pause(n int) time.Duration { return min(firstPause<<min(n, 16), lastPause) }
