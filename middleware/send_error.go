package middleware

import (
	"errors"
	"fmt"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// ErrSameTask is the error of a task that SendTasks is given twice: two tasks of one UUID would share their state.
var ErrSameTask = errors.New("the same task is given twice")

var errNoSignature = errors.New("the signature is nil")

// maxFailuresShown bounds the text of a SendError.
const maxFailuresShown = 3

// A SendError says which of the tasks that were to be sent together were not. errors.Is and errors.As look at the errors
// of all of them.
type SendError struct {
	// Sent counts the tasks that were sent. Where one was refused before it was given to the broker, nothing is sent.
	Sent int
	// Failed are the tasks with an error, in the order in which they were given.
	Failed []FailedSend
}

// A FailedSend is a task with an error among those that were to be sent together.
type FailedSend struct {
	Index int    // among those given, from 0
	Task  string // its name
	UUID  string // empty for a task that was refused before it had one
	Err   error
}

// Error names the first tasks with an error, and counts the others.
func (e *SendError) Error() string {
	var text strings.Builder
	if e.Sent == 0 {
		text.WriteString("nothing sent")
	} else {
		fmt.Fprintf(&text, "%d sent, %d not", e.Sent, len(e.Failed))
	}
	for i, failed := range e.Failed {
		if i == maxFailuresShown {
			fmt.Fprintf(&text, "; and %d more", len(e.Failed)-i)
			break
		}
		separator := "; "
		if i == 0 {
			separator = ": "
		}
		text.WriteString(separator + failed.text())
	}
	return text.String()
}

// Unwrap returns the errors of the tasks.
func (e *SendError) Unwrap() []error {
	errs := make([]error, len(e.Failed))
	for i, failed := range e.Failed {
		errs[i] = failed.Err
	}
	return errs
}

// text names the task where its error does not.
func (f FailedSend) text() string {
	text := f.Err.Error()
	if !strings.Contains(text, f.Task) {
		text = fmt.Sprintf("task %q: %s", f.Task, text)
	}
	return fmt.Sprintf("index %d: %s", f.Index, text)
}

// failedSend is the error of the task at an index. There may be no signature.
func failedSend(index int, s *tasks.Signature, err error) FailedSend {
	failed := FailedSend{Index: index, Err: err}
	if s != nil {
		failed.Task, failed.UUID = s.Name, s.UUID
	}
	return failed
}

// refused is the error of tasks none of which is sent, because of one.
func refused(index int, s *tasks.Signature, err error) *SendError {
	return &SendError{Failed: []FailedSend{failedSend(index, s, err)}}
}

// sendError returns nil where all were sent.
func sendError(signatures []*tasks.Signature, errs []error) error {
	var failed []FailedSend
	for i, err := range errs {
		if err != nil {
			failed = append(failed, failedSend(i, signatures[i], err))
		}
	}
	if failed == nil {
		return nil
	}
	return &SendError{Sent: len(errs) - len(failed), Failed: failed}
}
