package lifecycle

import (
	"context"
	"sync"
	"time"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
)

// A Worker is all workers of one name. They are stopped together, for good.
type Worker struct {
	stopping context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu sync.Mutex
	// failures counts, for the pause between them, starts in a row that failed.
	failures int
}

// End is called by a worker that has ended.
func (w *Worker) End() { w.running.Done() }

// Stopping returns the context that ends when the worker is to stop.
func (w *Worker) Stopping() context.Context { return w.stopping }

// IsStopping reports whether the worker is to stop.
func (w *Worker) IsStopping() bool { return w.stopping.Err() != nil }

// Sleep waits, and reports whether the worker is still wanted afterwards.
func (w *Worker) Sleep(pause time.Duration) bool { return backoff.Sleep(w.stopping, pause) }

// Failed counts a start that failed and returns how many there were in a row.
func (w *Worker) Failed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures++
	return w.failures
}

// Started ends a row of starts that failed.
func (w *Worker) Started() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures = 0
}
