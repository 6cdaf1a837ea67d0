package redisadapter

import (
	"context"
	"sync"
	"time"
)

// workerName is what a broker knows of a worker.
type workerName struct{ tag, queue string }

// shift is the time that the workers of one name may work.
type shift struct {
	stopping context.Context
	stop     context.CancelFunc
	working  sync.WaitGroup
}

func (s *shift) end() { s.working.Done() }

// rest waits, and tells whether the worker is still wanted afterwards.
func (s *shift) rest(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-s.stopping.Done():
		return false
	case <-timer.C:
		return s.stopping.Err() == nil
	}
}

// shifts are those of all workers of a broker.
type shifts struct {
	stopping context.Context
	stop     context.CancelFunc
	// mu guards against a worker that comes while somebody already waits for the others.
	mu     sync.Mutex
	byName map[workerName]*shift
}

func newShifts() shifts {
	stopping, stop := context.WithCancel(context.Background())
	return shifts{stopping: stopping, stop: stop, byName: make(map[workerName]*shift)}
}

// start returns nil when the worker, or all of them, have been stopped.
func (all *shifts) start(worker workerName) *shift {
	all.mu.Lock()
	defer all.mu.Unlock()
	s := all.of(worker)
	if s.stopping.Err() != nil {
		return nil
	}
	s.working.Add(1)
	return s
}

func (all *shifts) of(worker workerName) *shift {
	s := all.byName[worker]
	if s == nil {
		s = &shift{}
		s.stopping, s.stop = context.WithCancel(all.stopping)
		all.byName[worker] = s
	}
	return s
}

// stopOne returns when the worker has ended.
func (all *shifts) stopOne(worker workerName) {
	all.mu.Lock()
	s := all.of(worker)
	s.stop()
	all.mu.Unlock()
	s.working.Wait()
}

// stopAll returns when all workers have ended.
func (all *shifts) stopAll() {
	all.mu.Lock()
	all.stop()
	ending := make([]*shift, 0, len(all.byName))
	for _, s := range all.byName {
		ending = append(ending, s)
	}
	all.mu.Unlock()
	for _, s := range ending {
		s.working.Wait()
	}
}
