package amqpadapter

import (
	"context"
	"sync"
	"time"
)

// deadlines bound calls by a timeout. Calls that begin at about the same time share one context: a timer for each of
// them would be several microseconds of what a message costs.
type deadlines struct {
	timeout time.Duration

	mu     sync.Mutex
	shared context.Context
	renew  time.Time // when another one is made
}

// bound returns a context that ends with parent, and when the timeout is over, or a sixteenth of it later. It has the
// values of parent only where that can end.
func (d *deadlines) bound(parent context.Context) (context.Context, context.CancelFunc) {
	if parent.Done() != nil {
		return context.WithTimeout(parent, d.timeout)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); d.shared == nil || now.After(d.renew) {
		sharing := d.timeout / 16
		d.renew = now.Add(sharing)
		d.shared = endsAt(now.Add(d.timeout).Add(sharing)) // their sum may be too large for a Duration
	}
	return d.shared, func() {}
}

// endsAt returns a context that nobody has to cancel.
func endsAt(deadline time.Time) context.Context {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	context.AfterFunc(ctx, cancel)
	return ctx
}
