package redisadapter

import (
	"sync"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// unwrittenPause is how long a task is RECEIVED, and STARTED, before that is written. Most tasks have ended by then:
// writing states that hardly anybody could see is half of what a task costs.
const unwrittenPause = 10 * time.Millisecond

// unwrittenStates are those states of tasks that are soon followed by others, and were not written yet.
type unwrittenStates struct {
	alarms *alarms
	mu     sync.Mutex
	byUUID map[string]*unwritten
}

// unwritten is a state that is written by its alarm, unless somebody takes it before.
type unwritten struct {
	state  *tasks.TaskState
	expiry time.Duration
	alarm  alarm
	// written is set while the alarm writes the state, and closed afterwards.
	written chan struct{}
}

// put has write called later, in a goroutine that ends with it.
func (s *unwrittenStates) put(state *tasks.TaskState, expiry time.Duration, write func(*unwritten)) {
	u := &unwritten{state: state, expiry: expiry}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byUUID == nil {
		s.byUUID = make(map[string]*unwritten)
	}
	s.byUUID[state.TaskUUID] = u
	s.alarms.set(&u.alarm, unwrittenPause, func() {
		if !s.begin(u) {
			return
		}
		defer s.end(u)
		write(u)
	})
}

// follow has the state of a task written in the place of the one before it, which was not written yet. It reports
// whether there is such a one.
func (s *unwrittenStates) follow(taskUUID, state string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.byUUID[taskUUID]
	if u == nil || u.written != nil {
		return false
	}
	u.state.State = state
	return true
}

// take returns what is left to write of a task, nil if nothing is, and leaves it to the caller. What is being written
// is written when it returns: a state that is written afterwards takes its place.
func (s *unwrittenStates) take(taskUUID string) *unwritten {
	s.mu.Lock()
	u := s.byUUID[taskUUID]
	if u == nil {
		s.mu.Unlock()
		return nil
	}
	if written := u.written; written != nil {
		s.mu.Unlock()
		<-written
		return nil
	}
	u.alarm.stop()
	delete(s.byUUID, taskUUID)
	s.mu.Unlock()
	return u
}

// begin reports whether the alarm is to write the state: nobody else has taken it.
func (s *unwrittenStates) begin(u *unwritten) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byUUID[u.state.TaskUUID] != u {
		return false
	}
	u.written = make(chan struct{})
	return true
}

func (s *unwrittenStates) end(u *unwritten) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byUUID[u.state.TaskUUID] == u {
		delete(s.byUUID, u.state.TaskUUID)
	}
	close(u.written)
}
