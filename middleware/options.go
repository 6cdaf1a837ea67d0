package middleware

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// An Option configures Install. The order of options does not matter. Install returns an error that names the option
// where one cannot be meant, or is given twice and would count once: which one must not depend on their order.
type Option func(*settings) error

// settings are what the options ask for.
type settings struct {
	prePublish func(*tasks.Signature)
	preTask    func(*tasks.Signature)
	scope      scope
	signing    *signing // nil without SignTasks
	propagator Propagator
	observer   Observer
	logger     *slog.Logger

	deadLetters  DeadLetters
	keepFailures bool

	retryUnknown retryPolicy // nil without RetryUnknown and RetryUnknownFunc

	given map[string]bool // the options so far, by name
}

// once returns an error for an option that was given before.
func (s *settings) once(option string) error {
	if s.given[option] {
		return fmt.Errorf("%s is given twice", option)
	}
	s.given[option] = true
	return nil
}

func newSettings(opts []Option) (settings, error) {
	s := settings{logger: MachineryLogger(), given: make(map[string]bool)}
	for i, option := range opts {
		if option == nil {
			return s, fmt.Errorf("option %d is nil", i+1)
		}
		if err := option(&s); err != nil {
			return s, err
		}
	}
	return s, nil
}

// WithPrePublish keeps an application's own pre-publish handler. It runs where Machinery runs it (in SendTask), before
// values are put in envelopes: it sees the arguments as the caller gave them.
//
// It takes the server's only slot for one. A handler that is in the slot stays there without this option.
func WithPrePublish(handler func(*tasks.Signature)) Option {
	return func(s *settings) error {
		if handler == nil {
			return errors.New("WithPrePublish needs a handler")
		}
		s.prePublish = handler
		return s.once("WithPrePublish")
	}
}

// WithPreTask gives an application's own pre-task handler to all workers that are made by NewWorker or passed to
// Attach. It runs after the arguments are restored and before the task; where they cannot be restored it does not run.
func WithPreTask(handler func(*tasks.Signature)) Option {
	return func(s *settings) error {
		if handler == nil {
			return errors.New("WithPreTask needs a handler")
		}
		s.preTask = handler
		return s.once("WithPreTask")
	}
}

// A scope says which values travel in envelopes beside those that must. A larger one includes the smaller ones.
type scope int

const (
	// scopeNeeded leaves base values and slices of them to Machinery.
	scopeNeeded scope = iota
	// scopeSlices puts slices in envelopes, which are restored much faster. Both ends must know the middleware.
	scopeSlices
	// scopeAll puts everything in envelopes.
	scopeAll
)

// EnvelopeSlices puts slices of base types in envelopes too, as typed tasks do: Machinery takes about 116 ms to restore
// a []byte of 1 MiB. Without it they travel as Machinery carries them, for tasks that are not wrapped and for workers
// that do not have the middleware yet. A wrapped task takes either, and a plain one on a server with the middleware
// gets its slice.
func EnvelopeSlices() Option { return withScope(scopeSlices) }

// EnvelopeAll puts every argument in an envelope, and every result of a task that was registered through the
// middleware: what Machinery carries by itself too. A registry that encrypts then encrypts it all.
//
// Every worker on the queue needs the middleware. Tasks registered with Machinery directly get base values, as ever;
// their results stay as they are in the result backend, and so do the texts of errors.
//
// An argument whose value does not fit the type that it names is an error of the send, where Machinery would change it.
func EnvelopeAll() Option { return withScope(scopeAll) }

func withScope(wanted scope) Option {
	return func(s *settings) error {
		s.scope = max(s.scope, wanted)
		return nil
	}
}
