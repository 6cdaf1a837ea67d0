package redisadapter

import "sync"

// executing counts the tasks that a worker is processing. What is left to do for a message afterwards is not counted.
type executing struct {
	mu    sync.Mutex
	tasks int
	none  chan struct{} // closed when there are none; nil where nobody waits for that
}

func (e *executing) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tasks++
}

func (e *executing) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tasks--; e.tasks == 0 && e.none != nil {
		close(e.none)
		e.none = nil
	}
}

// ended returns a channel that is closed when no task is being processed.
func (e *executing) ended() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	none := e.none
	if none == nil {
		none = make(chan struct{})
	}
	if e.tasks == 0 {
		close(none)
	} else {
		e.none = none
	}
	return none
}

func (e *executing) idle() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tasks == 0
}
