package redisadapter

import (
	"log/slog"
	"sync"
	"time"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
)

// breaker keeps a worker from taking tasks while the result backend fails, but for one after each pause to find out
// whether it works again.
type breaker struct {
	pauses backoff.Policy
	logger *slog.Logger // has the queue

	mu       sync.Mutex
	failures int // pauses in a row after which it still failed
	until    time.Time
}

// admit returns how many of so many slots may be filled now, and for how long none may be where that is 0.
func (b *breaker) admit(slots int) (admitted int, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures == 0 {
		return slots, 0
	}
	if wait = time.Until(b.until); wait > 0 {
		return 0, wait
	}
	b.until = time.Now().Add(b.pauses.Pause(b.failures))
	return min(slots, 1), 0
}

// failed notes that a task met a backend that fails. It returns how long that task is to wait. Tasks that were taken
// before the first of them failed count as one.
func (b *breaker) failed(probing bool) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures == 0 {
		b.logger.Warn("result backend fails, taking no tasks until it works again")
	}
	if b.failures == 0 || probing {
		b.failures++
		b.until = time.Now().Add(b.pauses.Pause(b.failures))
	}
	return b.pauses.Pause(b.failures)
}

// succeeded notes that a task was processed to its end.
func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures > 0 {
		b.logger.Info("result backend works again")
	}
	b.failures = 0
}

// probing reports whether a task that begins now is one to find out whether the backend works.
func (b *breaker) probing() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures > 0
}
