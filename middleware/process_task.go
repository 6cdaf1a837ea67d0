package middleware

import (
	"context"
	"errors"
	"strings"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
)

var (
	// ErrPanicked is returned by Process when processing a task panicked. What it panicked with may hold any value, so
	// its type is named, and its text only where it is one of Go's runtime or of package reflect.
	ErrPanicked = errors.New("processing panicked")
	// ErrUnreadable is returned by Process when Machinery could not make sense of the types of a task's arguments. The
	// worker has set FAILURE then, and processing the task again would change nothing.
	ErrUnreadable = errors.New("arguments are unreadable")
)

// unreadablePrefix begins Machinery's error for arguments that it cannot reflect, which has no type of its own.
const unreadablePrefix = "Reflect task args error"

// Process runs a task as Machinery's brokers do, and makes of what goes wrong an error that can be told apart: a panic,
// which would take the whole worker along, is ErrPanicked, and Machinery's error for arguments that it cannot reflect
// wraps ErrUnreadable. It is for those who write brokers; every other error of the processor is returned as it is.
func Process(p brokersiface.TaskProcessor, s *tasks.Signature) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = newPanicError(value)
		}
	}()
	err = p.Process(s)
	if err != nil && strings.HasPrefix(err.Error(), unreadablePrefix) {
		return &unreadableError{err}
	}
	return err
}

// ProcessUntil is Process for a broker that stops its workers one by one: the context ends when this one is to stop.
// Until then the middleware writes again what a result backend that is down has not taken of the task; after that the
// error is ErrStopped. With Process the middleware does so until the broker's StopConsuming is called.
func ProcessUntil(stopping context.Context, p brokersiface.TaskProcessor, s *tasks.Signature) error {
	if inner, ok := p.(*processor); ok {
		p = stoppable{inner, stopping}
	}
	return Process(p, s)
}

// stoppable is a processor for a worker that stops when the context ends.
type stoppable struct {
	*processor
	stopping context.Context
}

func (p stoppable) Process(s *tasks.Signature) error { return p.processUntil(p.stopping, s) }

// An unreadableError is Machinery's error for arguments that it cannot reflect.
type unreadableError struct{ machinery error }

// Error returns the text of ErrUnreadable before Machinery's.
func (e *unreadableError) Error() string { return ErrUnreadable.Error() + ": " + e.machinery.Error() }

// Unwrap returns ErrUnreadable, and Machinery's error.
func (e *unreadableError) Unwrap() []error { return []error{ErrUnreadable, e.machinery} }
