package lifecycle

import (
	"context"
	"time"
)

// WithGrace returns a context that ends so long after a worker is to stop, and at least so long from now: for what the
// worker has begun, or begins while it stops, with a server that may not answer. The cause is
// context.DeadlineExceeded then.
func WithGrace(ctx, stopping context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(stopping, func() {
		timer := time.AfterFunc(grace, func() { cancel(context.DeadlineExceeded) })
		context.AfterFunc(ctx, func() { timer.Stop() })
	})
	return ctx, func() {
		stop()
		cancel(context.Canceled)
	}
}
