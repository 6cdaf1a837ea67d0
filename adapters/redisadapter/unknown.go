package redisadapter

import (
	"sync"
	"time"
)

const (
	// unknownPause is how long a worker leaves a queue alone that holds nothing for it.
	unknownPause = 100 * time.Millisecond
	// maxReturned bounds the work between two pauses on a long queue of other workers' tasks.
	maxReturned = 32
)

// unknownTasks counts the tasks in a row that this worker does not know and has returned to its queue. When they are as
// many as the queue is long it has seen them all, and going on at once would only burn CPU.
type unknownTasks struct {
	mu         sync.Mutex
	inARow     int64
	reported   bool
	pauseIsDue bool
}

// known ends the row: there is work here.
func (u *unknownTasks) known() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.inARow, u.reported, u.pauseIsDue = 0, false, false
}

// returned notes a task that was put back on a queue of the given length. It reports whether it is the first of a row,
// so that one line in the log stands for all.
func (u *unknownTasks) returned(queued int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.inARow++
	if u.inARow >= min(queued, maxReturned) {
		u.inARow, u.pauseIsDue = 0, true
	}
	first := !u.reported
	u.reported = true
	return first
}

// takePause reports, once, whether a pause is due.
func (u *unknownTasks) takePause() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	due := u.pauseIsDue
	u.pauseIsDue = false
	return due
}
