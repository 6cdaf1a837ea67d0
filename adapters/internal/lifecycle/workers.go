package lifecycle

import (
	"context"
	"sync"
)

// A Name is what a broker knows of a worker.
type Name struct{ Tag, Queue string }

// Workers are all those of a broker.
type Workers struct {
	stopping context.Context
	stop     context.CancelFunc
	// mu guards against a worker that starts while somebody already waits for the others.
	mu     sync.Mutex
	byName map[Name]*Worker
}

// NewWorkers returns Workers that nobody has stopped.
func NewWorkers() *Workers {
	stopping, stop := context.WithCancel(context.Background())
	return &Workers{stopping: stopping, stop: stop, byName: make(map[Name]*Worker)}
}

// Start returns nil when the workers of that name, or all of them, have been stopped. Otherwise End must follow.
func (all *Workers) Start(name Name) *Worker {
	all.mu.Lock()
	defer all.mu.Unlock()
	w := all.of(name)
	if w.stopping.Err() != nil {
		return nil
	}
	w.running.Add(1)
	return w
}

// of is called with mu locked.
func (all *Workers) of(name Name) *Worker {
	w := all.byName[name]
	if w == nil {
		w = &Worker{}
		w.stopping, w.stop = context.WithCancel(all.stopping)
		all.byName[name] = w
	}
	return w
}

// StopOne stops the workers of a name, now and in future, and returns when they have ended.
func (all *Workers) StopOne(name Name) {
	all.mu.Lock()
	w := all.of(name)
	w.stop()
	all.mu.Unlock()
	w.running.Wait()
}

// StopAll stops all workers, now and in future, and returns when they have ended.
func (all *Workers) StopAll() {
	all.mu.Lock()
	all.stop()
	ending := make([]*Worker, 0, len(all.byName))
	for _, w := range all.byName {
		ending = append(ending, w)
	}
	all.mu.Unlock()
	for _, w := range ending {
		w.running.Wait()
	}
}
