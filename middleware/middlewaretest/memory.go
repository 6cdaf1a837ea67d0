package middlewaretest

import (
	"slices"
	"sync"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// A memory is what the servers of a test share.
type memory struct {
	mu      sync.Mutex
	clock   clock
	waiting []*message // in every queue, in the order in which they are due
	number  int        // of the last message
	changed chan struct{}

	inFlight map[*message]bool   // with a worker
	latest   map[string]*message // by the UUID of the task
	sent     []*message
	letters  []DeadLetter

	states map[string][]byte // by UUID, as JSON
	groups map[string]*group // by UUID
	locks  map[string]int64  // until when they are held, in nanoseconds
	faults faults
}

func newMemory() *memory {
	return &memory{
		clock:    newClock(),
		changed:  make(chan struct{}),
		inFlight: make(map[*message]bool),
		latest:   make(map[string]*message),
		states:   make(map[string][]byte),
		groups:   make(map[string]*group),
		locks:    make(map[string]int64),
	}
}

// A message is a task on the wire.
type message struct {
	body      []byte
	signature *tasks.Signature // that body was made of, as it was then; nobody changes it
	queue     string
	due       time.Time // by the clock of the memory
	number    int       // its place among the messages that are due at the same time
	failures  int       // how often it was not processed to its end
	isLost    bool      // the connection was lost while a worker has it
}

// publish puts a task in its queue. A worker that publishes the task which it has does not send another.
func (m *memory) publish(s *tasks.Signature, body []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	published := &message{body: body, signature: s, queue: s.RoutingKey, due: m.clock.due(s.ETA)}
	if !m.isInFlight(s.UUID) {
		m.sent = append(m.sent, published)
	}
	asPublished := *published
	m.latest[s.UUID] = &asPublished
	m.put(published)
}

// put puts a message in its queue, behind those that are due at the same time.
func (m *memory) put(p *message) {
	m.number++
	p.number = m.number
	i, _ := slices.BinarySearchFunc(m.waiting, p, func(a, b *message) int {
		if c := a.due.Compare(b.due); c != 0 {
			return c
		}
		return a.number - b.number
	})
	m.waiting = slices.Insert(m.waiting, i, p)
	m.tell()
}

// tell wakes those who wait for a change.
func (m *memory) tell() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// take takes the first message that is due and wanted, or returns nil.
func (m *memory) take(wants func(*message) bool) *message {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.at(time.Now())
	return m.takeFirst(func(p *message) bool { return !p.due.After(now) && wants(p) })
}

// takeUUID takes a message of a task, due or not, or returns nil.
func (m *memory) takeUUID(uuid string) *message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.takeFirst(func(p *message) bool { return p.signature.UUID == uuid })
}

func (m *memory) takeFirst(wants func(*message) bool) *message {
	i := slices.IndexFunc(m.waiting, wants)
	if i < 0 {
		return nil
	}
	taken := m.waiting[i]
	m.waiting = slices.Delete(m.waiting, i, i+1)
	m.inFlight[taken] = true
	m.faults.delivered(taken)
	return taken
}

// next returns when the next wanted message is due, by time.Now, and what tells of changes until then. It is zero where
// none is waiting.
func (m *memory) next(wants func(*message) bool) (at time.Time, changed <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.IndexFunc(m.waiting, wants); i >= 0 {
		now := time.Now()
		at = now.Add(m.waiting[i].due.Sub(m.clock.at(now)))
	}
	return at, m.changed
}

// acknowledge forgets a message that a worker has dealt with. It reports whether that was heard of: where the
// connection was lost, the message comes again.
func (m *memory) acknowledge(p *message) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.isLost {
		m.putBack(p, 0)
		return false
	}
	delete(m.inFlight, p)
	return true
}

// fail has a message come again after a pause that was not processed to its end.
func (m *memory) fail(p *message, pause time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.failures++
	m.putBack(p, pause)
}

func (m *memory) putBack(p *message, pause time.Duration) {
	delete(m.inFlight, p)
	m.freeCallback(p)
	p.due = m.clock.at(time.Now()).Add(pause)
	m.put(p)
}

func (m *memory) isInFlight(uuid string) bool {
	for p := range m.inFlight {
		if p.signature.UUID == uuid {
			return true
		}
	}
	return false
}

// list returns the tasks that wait, those that are due or the others.
func (m *memory) list(wants func(p *message, now time.Time) bool) []*tasks.Signature {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.at(time.Now())
	var found []*tasks.Signature
	for _, p := range m.waiting {
		if !wants(p, now) {
			continue
		}
		if s, err := decode(p.body); err == nil {
			found = append(found, s)
		}
	}
	return found
}
