package middlewaretest

import (
	"errors"
	"runtime"
)

var (
	// ErrPublish is returned by sends that FailPublish has fail.
	ErrPublish = errors.New("the broker refuses the task, as FailPublish has it")
	// ErrConnection is returned by sends while the connection is lost: see LoseConnection.
	ErrConnection = errors.New("the connection to the broker is lost, as LoseConnection has it")
)

// faults are those that are still to happen.
type faults struct {
	failingPublishes int
	losesNext        bool // the connection, at the next delivery
	nextDies         bool // the worker of the next delivery of Run or RunOne
	stepsToDeath     int
	worker           *mortal // runs a task now, and is to die
}

// FailPublish has the broker refuse the next n messages. The sender gets ErrPublish; where that is a worker, with a
// callback or a retry, what becomes of it is what becomes of it on Machinery's own brokers. The members of a group
// are published in no particular order, so that any of them may be refused.
func (s *Server) FailPublish(n int) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	s.memory.faults.failingPublishes = n
}

// LoseConnection loses the connection to the broker. Called by a task, or while a launched worker runs some, it loses
// it then, else as soon as the next task is delivered. Until the tasks that were delivered have ended, whatever they or
// others publish fails with ErrConnection. Then the connection is there again, and those tasks are delivered once more:
// nobody has heard that they were done.
func (s *Server) LoseConnection() {
	m := s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults.losesNext = len(m.inFlight) == 0
	for p := range m.inFlight {
		p.isLost = true
	}
}

// delivered notes that a message was delivered.
func (f *faults) delivered(p *message) {
	p.isLost = f.losesNext
	f.losesNext = false
}

// refusePublish returns the error of a message that is refused.
func (m *memory) refusePublish() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.faults.failingPublishes > 0 {
		m.faults.failingPublishes--
		return ErrPublish
	}
	for p := range m.inFlight {
		if p.isLost {
			return ErrConnection
		}
	}
	return nil
}

// Redeliver delivers the latest message of a task once more, as it was published, whether the task waits, runs or has
// ended. It fails the test where there is none.
func (s *Server) Redeliver(uuid string) {
	s.t.Helper()
	m := s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	latest, ok := m.latest[uuid]
	if !ok {
		s.t.Fatalf("middlewaretest: Redeliver: no task %s was published", uuid)
		return
	}
	m.put(&message{body: latest.body, signature: latest.signature, queue: latest.queue, due: m.clock.due(nil)})
}

// KillWorkerAfter has the worker of the next task that Run or RunOne delivers die after n of its steps, as a process
// does that is killed: nothing more of it happens, not even what it has deferred, as far as that goes through the
// server. A step is a state that it writes, a message that it publishes, the triggering of a chord's callback, and its
// acknowledgement of the task. The task itself runs between two of them: a worker that dies after 1 has set RECEIVED
// and not run the task, after 2 it has run the task and nobody has heard of it. The task is delivered again then, to
// another worker. One with no more than n steps lives.
func (s *Server) KillWorkerAfter(n int) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	s.memory.faults.nextDies, s.memory.faults.stepsToDeath = true, n
}

// A mortal is a worker that is to die.
type mortal struct {
	left   int    // steps
	done   string // its last step
	isDead bool
}

// mortal returns the worker of the delivery that begins, if it is to die.
func (m *memory) mortal() *mortal {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.faults.nextDies {
		return nil
	}
	m.faults.nextDies = false
	m.faults.worker = &mortal{left: m.faults.stepsToDeath, done: "got the message"}
	return m.faults.worker
}

// survived ends the delivery of a worker that was to die.
func (m *memory) survived() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults.worker = nil
}

// step comes before a step of whoever uses the server. The goroutine of a worker that is dead, or dies of it, ends.
func (m *memory) step(what string) {
	if m.takeStep(what) {
		runtime.Goexit()
	}
}

func (m *memory) takeStep(what string) (dies bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.faults.worker
	if w == nil {
		return false
	}
	if w.left == 0 {
		w.isDead = true
	}
	if !w.isDead {
		w.left--
		w.done = what
	}
	return w.isDead
}
