package redisadapter

import "sync"

// pool runs functions in goroutines that live on: one that has run a task has the stack that the next one needs. There
// are as many as there ever were functions at once, which the slots of a worker bound: to less than twice as many.
type pool struct {
	mu      sync.Mutex
	idle    []chan func() // of goroutines, the one that was busy last at its end
	closed  bool
	running sync.WaitGroup
}

// run has f run, unless the pool is closed.
func (p *pool) run(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.idle) - 1; last >= 0 {
		next := p.idle[last]
		p.idle = p.idle[:last]
		next <- f
		return
	}
	p.running.Go(func() { p.work(f) })
}

// work runs f and what comes after it, until the pool is closed. A function may end its goroutine.
func (p *pool) work(f func()) {
	next := make(chan func(), 1)
	for ; f != nil; f = <-next {
		f()
		if !p.rest(next) {
			return
		}
	}
}

// rest reports whether there may be more to run.
func (p *pool) rest(next chan func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.idle = append(p.idle, next)
	}
	return !p.closed
}

// close ends all goroutines, and returns when what they run has ended. Nothing may be run after it.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for _, next := range p.idle {
		close(next)
	}
	p.idle = nil
	p.mu.Unlock()
	p.running.Wait()
}
