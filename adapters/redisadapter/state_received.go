package redisadapter

import (
	"sync"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// receivedPause is how long a task is RECEIVED before that is written. A worker goes on to STARTED, or FAILURE, at once:
// writing a state that nobody could see is a third of what a task costs.
const receivedPause = 10 * time.Millisecond

// received are the tasks whose RECEIVED was not written yet.
type received struct {
	mu     sync.Mutex
	byUUID map[string]*unwritten
}

// unwritten is a state that is written by the timer, unless somebody takes it before.
type unwritten struct {
	signature *tasks.Signature
	state     *tasks.TaskState
	timer     *time.Timer
}

// put has write called later, in a goroutine that ends with it.
func (r *received) put(signature *tasks.Signature, write func(*unwritten)) {
	u := &unwritten{
		signature: &tasks.Signature{UUID: signature.UUID, Name: signature.Name},
		state:     tasks.NewReceivedTaskState(signature),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byUUID == nil {
		r.byUUID = make(map[string]*unwritten)
	}
	r.byUUID[signature.UUID] = u
	u.timer = time.AfterFunc(receivedPause, func() {
		if r.remove(u) {
			write(u)
		}
	})
}

// take returns what is left to write of a task, nil if nothing is, and leaves it to the caller.
func (r *received) take(taskUUID string) *unwritten {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.byUUID[taskUUID]
	if u != nil {
		u.timer.Stop()
		delete(r.byUUID, taskUUID)
	}
	return u
}

// remove tells whether it was still there.
func (r *received) remove(u *unwritten) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byUUID[u.state.TaskUUID] != u {
		return false
	}
	delete(r.byUUID, u.state.TaskUUID)
	return true
}
