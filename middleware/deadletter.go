package middleware

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// DeadLetters keeps tasks that no worker can do, for somebody to look at.
type DeadLetters interface {
	// Push keeps a task as it was received, and the reason why it came here. An error is logged and counted (see
	// Middleware.LostDeadLetters); the worker goes on.
	Push(ctx context.Context, s *tasks.Signature, reason error) error
}

// A DeadLetterBroker is a broker that has dead letters of its own. Those of packages redisadapter and amqpadapter are
// such. One that is a Redeliverer too keeps them as the bytes that they came in: see DeadLetterError.
type DeadLetterBroker interface {
	// DeadLetters returns them. Install calls it once.
	DeadLetters() DeadLetters
}

// A DeadLetterError is what the processor of a DeadLetterBroker that is a Redeliverer returns, without WithDeadLetters,
// for a task that has ended and is to be a dead letter. The broker keeps the message, byte for byte, with the reason,
// and acknowledges it. It does not call Abandon: the state of the task, which may be somebody else's, is set as far as
// it may be, and everybody is told.
type DeadLetterError struct{ Reason error }

// Error returns the text of the reason.
func (e *DeadLetterError) Error() string { return e.Reason.Error() }

// Unwrap returns the reason.
func (e *DeadLetterError) Unwrap() error { return e.Reason }

// WithDeadLetters keeps tasks whose arguments cannot be restored, whose state could not be written or republished time
// and again, or whose signature is not right (see SignTasks), and those that have run but whose end could not be
// recorded (ErrNotRecorded). Without it they go to the dead letters of the broker if
// that is a DeadLetterBroker; else they end in FAILURE and in the log. What a Redeliverer gives up it keeps by itself.
func WithDeadLetters(d DeadLetters) Option {
	return func(s *settings) error {
		if d == nil {
			return errors.New("WithDeadLetters needs dead letters")
		}
		s.deadLetters = d
		return s.once("WithDeadLetters")
	}
}

// WithDeadLetterFailures keeps tasks too that have failed for good, their retries used up. It sees those that were
// registered through the middleware.
func WithDeadLetterFailures() Option {
	return func(s *settings) error {
		s.keepFailures = true
		return nil
	}
}

// LostDeadLetters counts the tasks that the dead letters did not take.
func (m *Middleware) LostDeadLetters() int64 { return m.letters.lost.Load() }

// letters gives tasks to the dead letters. Whatever those do, the worker lives on.
type letters struct {
	store    DeadLetters // nil if there are none
	ofBroker bool        // the store is the broker's own
	reporter *reporter
	lost     atomic.Int64
}

func (l *letters) push(s *tasks.Signature, reason error) {
	if l.store == nil {
		return
	}
	if err := l.tryPush(s, reason); err != nil {
		l.lost.Add(1)
		l.reporter.about(s).Error("envelope: a dead letter is lost", errorKind(err))
	}
}

func (l *letters) tryPush(s *tasks.Signature, reason error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("%w: %T", ErrPanicked, value)
		}
	}()
	return l.store.Push(context.Background(), s, reason)
}
