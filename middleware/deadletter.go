package middleware

import (
	"context"

	"github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// DeadLetters keeps tasks that no worker can do, for somebody to look at.
type DeadLetters interface {
	// Push keeps a task as it was received, and the reason why it came here. An
	// error is logged and counted (see Middleware.LostDeadLetters); the worker
	// goes on.
	Push(ctx context.Context, s *tasks.Signature, reason error) error
}

// A DeadLetterKeeper is a broker that has dead letters of its own. Those of
// packages redisadapter and amqpadapter are such.
type DeadLetterKeeper interface {
	DeadLetters() DeadLetters
}

// WithDeadLetters keeps tasks whose arguments cannot be restored, whose state
// could not be written or republished time and again, or whose signature is not
// right (see SignTasks). Without it they go to the dead letters of the broker if
// that is a DeadLetterKeeper; else they end in FAILURE and in the log.
func WithDeadLetters(d DeadLetters) Option {
	return func(m *Middleware) { m.deadLetters = d }
}

// DeadLetterFailures keeps tasks too that have failed for good, their retries
// used up. It sees those that were registered through the middleware.
func DeadLetterFailures() Option {
	return func(m *Middleware) { m.keepFailures = true }
}

// LostDeadLetters counts the tasks that the dead letters did not take.
func (m *Middleware) LostDeadLetters() int64 { return m.lostDeadLetters.Load() }

// buryFailure gives a task to the dead letters whose arguments could not be
// restored or which, where that is wanted, has failed for good.
func (d *delivery) buryFailure() {
	if d.failure != nil && (d.err != nil || d.m.keepFailures) {
		d.m.bury(d.pristine.signature(), d.failure)
	}
}

// bury gives a task to the dead letters. Whatever they do, the worker lives on.
func (m *Middleware) bury(s *tasks.Signature, reason error) {
	if m.deadLetters == nil {
		return
	}
	defer func() {
		if recover() != nil {
			m.lost(s, "panicked")
		}
	}()
	if m.deadLetters.Push(context.Background(), s, reason) != nil {
		m.lost(s, "failed")
	}
}

func (m *Middleware) lost(s *tasks.Signature, what string) {
	m.lostDeadLetters.Add(1)
	log.ERROR.Printf("envelope: dead letters %s on task %q (%q)", what, s.Name, s.UUID)
}
