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
// retry for later where the policy says so, else a failure for good.
func (m *Middleware) refused(ctx context.Context, err error) error {
	s := tasks.SignatureFromContext(ctx)
	unknown := errors.Is(err, envelope.ErrUnknownType) || errors.Is(err, envelope.ErrUnknownVersion)
	if s == nil || !unknown || attempts(s, UnknownHeader) >= m.unknownAttempts {
		return final(ctx, err)
	}
	countAttempt(s, UnknownHeader)
	text := fmt.Sprintf("%v; attempt %d of %d.", err, attempts(s, UnknownHeader), m.unknownAttempts)
	return tasks.NewErrRetryTaskLater(text, m.unknownDelay)
}
