package middleware

import (
	"fmt"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// settleEnded settles a task that has run, when its state could not be written or a handler panicked after it: it must
// not run again. A member of a chord whose callback could not be sent does: that is how the chord goes on.
func (h settle) settleEnded(d *delivery, err error) error {
	if d.unkept == nil { // a post-task handler
		h.m.reporter.about(d.signature).Error("envelope: a handler panicked after the task", errorKind(err), stackOf(err))
		return h.keepFailure(d)
	}
	return h.deadLetter(d.original.signature(), h.m.failer.unrecorded(d))
}

// settlePanicked settles a task that has not run because a pre-task handler panicked, or Machinery did over its
// arguments. A handler that panics because the arguments could not be restored hides the reason.
func (h settle) settlePanicked(d *delivery, err error) error {
	s := d.original.signature()
	switch {
	case d.argsErr == nil:
		h.m.failer.panicked(s, err)
		return h.deadLetter(s, err)
	case d.task.isPutOff(d.argsErr):
		return h.again(d, d.argsErr)
	default:
		h.m.failer.abandon(s, d.argsErr)
		return h.deadLetter(s, d.argsErr)
	}
}

// panicked ends a task that has not run because of a panic that is not its own.
func (f *failer) panicked(s *tasks.Signature, reason error) {
	f.reporter.about(s).Error("envelope: a task has ended before it ran", errorKind(reason), stackOf(reason))
	f.setFailure(s, reason)
	f.reporter.failed(s.Name, reason)
}

// unrecorded ends a task that has run, whose state could not be written, and returns why. Its FAILURE does not quote
// what the backend said, which may be long and hold a value.
func (f *failer) unrecorded(d *delivery) error {
	s := d.original.signature()
	f.reporter.about(s).Error("envelope: a task has run, but its end could not be recorded", errorKind(d.unkept))
	f.setFailure(s, fmt.Errorf("%w (%T)", ErrNotRecorded, d.unkept))
	reason := fmt.Errorf("%w: %w", ErrNotRecorded, d.unkept)
	f.reporter.failed(s.Name, reason)
	return reason
}

// unsent ends a callback that a worker could not publish. Nobody else would tell those who wait for it.
func (f *failer) unsent(callback *tasks.Signature, reason error) {
	f.reporter.about(callback).Error("envelope: a callback could not be sent", errorKind(reason))
	f.setFailure(callback, fmt.Errorf("callback could not be sent: %w", reason))
	f.reporter.failed(callback.Name, reason)
}

// completedCheckPrefix begins Machinery's error for a worker that could not find out whether a group has ended. It keeps
// nothing of GroupCompleted's error but the text.
const completedCheckPrefix = "Completed check for group "

// isStoppedCheck reports whether an error is that of a worker which was stopped while it asked.
func isStoppedCheck(err error) bool {
	text := err.Error()
	return strings.HasPrefix(text, completedCheckPrefix) && strings.Contains(text, ErrStopped.Error())
}

// A stoppedError is Machinery's error for a worker that was stopped.
type stoppedError struct{ error }

// Unwrap returns ErrStopped, and Machinery's error.
func (e *stoppedError) Unwrap() []error { return []error{ErrStopped, e.error} }
