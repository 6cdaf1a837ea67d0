package middleware

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// A retryPolicy decides, of the attempt which is to follow, counted from 1, after which delay it comes, if at all.
type retryPolicy func(attempt int) (delay time.Duration, retry bool)

// RetryUnknown makes a worker that does not know a type, or a version or codec of it, put the task off for the delay,
// up to so many times, in the hope that a worker which knows it takes it meanwhile: that is so during a rolling
// deployment. Without it, and after that, the task fails at once. UnknownHeader counts these attempts.
func RetryUnknown(delay time.Duration, attempts int) Option {
	return func(s *settings) error {
		if delay < 0 || attempts < 0 {
			return fmt.Errorf("RetryUnknown(%v, %d): neither may be negative", delay, attempts)
		}
		return s.setRetryUnknown("RetryUnknown", func(attempt int) (time.Duration, bool) { return delay, attempt <= attempts })
	}
}

// RetryUnknownFunc is RetryUnknown with a policy instead of a fixed delay. The policy is asked before a task is put
// off: it gets which time that is, counted from 1, and returns for how long, or false to have the task fail. A negative
// delay is none. Many goroutines call it at the same time.
func RetryUnknownFunc(policy func(attempt int) (delay time.Duration, retry bool)) Option {
	return func(s *settings) error {
		if policy == nil {
			return errors.New("RetryUnknownFunc needs a policy")
		}
		return s.setRetryUnknown("RetryUnknownFunc", policy)
	}
}

func (s *settings) setRetryUnknown(option string, policy retryPolicy) error {
	if s.retryUnknown != nil && !s.given[option] {
		return errors.New("RetryUnknown and RetryUnknownFunc exclude each other")
	}
	s.retryUnknown = policy
	return s.once(option)
}

// retryUnavailable is the policy for tasks whose payload store is down. That is no fault of theirs, however long it
// lasts.
func retryUnavailable(attempt int) (time.Duration, bool) { return pause(attempt - 1), true }

// notRestored makes of an error of restoring arguments what Machinery is to see: a retry for later where that may help,
// else a failure for good. That is so on a Redeliverer too: the worker has the task, and takes no other answer.
func (t *task) notRestored(ctx context.Context, err error) error {
	switch {
	case tasks.SignatureFromContext(ctx) == nil:
		return err
	case isUnknown(err):
		return later(ctx, err, UnknownHeader, t.m.retryUnknown)
	case errors.Is(err, envelope.ErrUnavailable):
		return later(ctx, err, UnavailableHeader, retryUnavailable)
	default:
		return final(ctx, err)
	}
}

// isUnknown reports whether another worker may know what this one does not.
func isUnknown(err error) bool {
	return errors.Is(err, envelope.ErrUnknownType) || errors.Is(err, envelope.ErrUnknownVersion) ||
		errors.Is(err, envelope.ErrUnknownCodec)
}

// isPutOff reports whether notRestored puts a task off because of an error, as long as it does.
func (t *task) isPutOff(err error) bool {
	return isUnknown(err) && t.m.retryUnknown != nil || errors.Is(err, envelope.ErrUnavailable)
}

// later puts a task off as the policy says. A header counts how often.
func later(ctx context.Context, err error, header string, policy retryPolicy) error {
	if policy == nil {
		return final(ctx, err)
	}
	s := tasks.SignatureFromContext(ctx)
	attempt := attempts(s, header) + 1
	delay, retry := policy(attempt)
	if !retry {
		return final(ctx, err)
	}
	countAttempt(s, header)
	return tasks.NewErrRetryTaskLater(fmt.Sprintf("%v; attempt %d", err, attempt), max(delay, 0))
}
