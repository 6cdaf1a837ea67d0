package adaptertest

import (
	"context"
	"sync"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// A Processor is a worker without Machinery's server.
type Processor struct {
	// Queue is where it gets its tasks from; empty is the default queue.
	Queue string
	// Func processes a task.
	Func func(*tasks.Signature) error
	// Ready is asked before tasks are taken; nil is always ready.
	Ready func() bool
	// Abandoned has the tasks that the broker has given up.
	Abandoned Journal

	mu      sync.Mutex
	reasons []error
}

// Process calls Func.
func (p *Processor) Process(s *tasks.Signature) error { return p.Func(s) }

// CustomQueue returns Queue.
func (p *Processor) CustomQueue() string { return p.Queue }

// PreConsumeHandler calls Ready.
func (p *Processor) PreConsumeHandler() bool { return p.Ready == nil || p.Ready() }

// Abandon makes the processor a middleware.Abandoner.
func (p *Processor) Abandon(s *tasks.Signature, reason error) {
	p.mu.Lock()
	p.reasons = append(p.reasons, reason)
	p.mu.Unlock()
	_ = p.Abandoned.Add(s)
}

// Reasons returns why tasks were given up, in the order of Abandoned.
func (p *Processor) Reasons() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]error(nil), p.reasons...)
}

// Runs counts tasks that run, each until End.
type Runs struct {
	end      chan struct{}
	test     context.Context
	mu       sync.Mutex
	begun    int
	running  int
	together int
}

// NewRuns returns Runs that end with the test too.
func NewRuns(t testing.TB) *Runs { return &Runs{end: make(chan struct{}), test: t.Context()} }

// Run is the function of a Processor.
func (r *Runs) Run(*tasks.Signature) error {
	r.mu.Lock()
	r.begun++
	r.running++
	r.together = max(r.together, r.running)
	r.mu.Unlock()
	select {
	case <-r.end:
	case <-r.test.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	return nil
}

// End ends one that runs, and waits for it where there is none.
func (r *Runs) End() { r.end <- struct{}{} }

// Begun returns how many have begun so far.
func (r *Runs) Begun() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun
}

// Together returns how many have run at a time, at most.
func (r *Runs) Together() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.together
}

// A Latch holds tasks until Release, and keeps a journal of those that have begun.
type Latch struct {
	Journal
	released context.Context
	release  context.CancelFunc
}

// NewLatch returns a Latch that releases its tasks at the end of the test too.
func NewLatch(t testing.TB) *Latch {
	l := &Latch{}
	l.released, l.release = context.WithCancel(t.Context())
	return l
}

// Hold is the function of a Processor.
func (l *Latch) Hold(s *tasks.Signature) error {
	_ = l.Add(s)
	<-l.released.Done()
	return nil
}

// Release lets all tasks end, those too that come later.
func (l *Latch) Release() { l.release() }
