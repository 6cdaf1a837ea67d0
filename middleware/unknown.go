package middleware

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// RetryUnknown makes a worker that does not know a type, or a version of it, put
// the task off for the delay, up to so many times, in the hope that a worker
// which knows it takes it meanwhile: that is so during a rolling deployment.
// Without it, and after that, the task fails at once. UnknownHeader counts these
// attempts.
func RetryUnknown(delay time.Duration, attempts int) Option {
	return func(m *Middleware) { m.unknownDelay, m.unknownAttempts = delay, attempts }
}

// refused makes of an error of restoring arguments what Machinery is to see: a
// retry for later where that may help, else a failure for good.
func (m *Middleware) refused(ctx context.Context, err error) error {
	s := tasks.SignatureFromContext(ctx)
	if s == nil {
		return final(ctx, err)
	}
	switch {
	case errors.Is(err, envelope.ErrUnknownType), errors.Is(err, envelope.ErrUnknownVersion):
		return later(ctx, err, UnknownHeader, m.unknownAttempts, m.unknownDelay)
	case errors.Is(err, envelope.ErrUnavailable):
		return later(ctx, err, AttemptsHeader, mostPutBacks, pause(attempts(s, AttemptsHeader)))
	default:
		return final(ctx, err)
	}
}

// later puts a task off, unless a header has counted that often enough.
func later(ctx context.Context, err error, header string, most int, delay time.Duration) error {
	s := tasks.SignatureFromContext(ctx)
	if attempts(s, header) >= most {
		return final(ctx, err)
	}
	countAttempt(s, header)
	text := fmt.Sprintf("%v; attempt %d of %d.", err, attempts(s, header), most)
	return tasks.NewErrRetryTaskLater(text, delay)
}
