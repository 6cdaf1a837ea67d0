package redisadapter

import (
	"context"
	"sync"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

const (
	// announcedPause is how long PENDING may wait for the task to be published, before it is written alone: a handler
	// may take its time in between.
	announcedPause = 10 * time.Millisecond
	// forgottenPause is how long it is known then that PENDING was left out, for a later state was there.
	forgottenPause = time.Minute
)

// announced are the tasks that a backend was told of as PENDING, and that the broker with the same client is likely to
// publish next: then state and message go together. Machinery tells neither of the other, so that all of a process are
// in one table.
var announced = announcements{byUUID: make(map[string]*announcement)}

type announcements struct {
	mu     sync.Mutex
	byUUID map[string]*announcement
}

// announcement is a task whose state PENDING is written by who takes it, or by the alarm.
type announcement struct {
	backend *backend
	uuid    string
	state   []byte // nil where it is written, and the broker is only to tell the backend that it is there
	alarm   alarm
	// writing is set while the alarm writes the state, and closed afterwards.
	writing chan struct{}
	late    bool // the alarm has left the state out
}

// add notes that PENDING is to be written with the task. Where the backend does not know yet that a broker with
// its client publishes what it is told of, state is nil.
func (all *announcements) add(b *backend, signature *tasks.Signature, state []byte, pause time.Duration) {
	a := &announcement{backend: b, uuid: signature.UUID, state: state}
	all.mu.Lock()
	defer all.mu.Unlock()
	if before := all.byUUID[a.uuid]; before != nil {
		before.alarm.stop()
	}
	all.byUUID[a.uuid] = a
	b.alarms.set(&a.alarm, pause, func() { all.overdue(a) })
}

// overdue is for a task that was not published yet: perhaps another broker has been given it.
func (all *announcements) overdue(a *announcement) {
	all.mu.Lock()
	if all.byUUID[a.uuid] != a {
		all.mu.Unlock()
		return
	}
	if writing := a.writing; writing != nil {
		all.mu.Unlock()
		<-writing
		return
	}
	if a.state == nil || a.late {
		delete(all.byUUID, a.uuid)
		all.mu.Unlock()
		return
	}
	a.writing = make(chan struct{})
	all.mu.Unlock()
	a.backend.paired.Store(false)
	written := a.write()
	all.mu.Lock()
	defer all.mu.Unlock()
	close(a.writing)
	a.writing = nil
	switch {
	case all.byUUID[a.uuid] != a:
	case written:
		delete(all.byUUID, a.uuid)
	default:
		a.late = true
		a.backend.alarms.set(&a.alarm, forgottenPause, func() { all.overdue(a) })
	}
}

// hurry has PENDING written now where it is not: somebody asks the backend.
func (all *announcements) hurry(taskUUID string, b *backend) {
	all.mu.Lock()
	a := all.byUUID[taskUUID]
	unwritten := a != nil && a.backend == b && a.state != nil && !a.late
	all.mu.Unlock()
	if unwritten {
		all.overdue(a)
	}
}

// take returns the announcement of a task, nil if there is none, and leaves its state to the caller. One that is being
// written it waits for, no longer than ctx lasts: Redis may not answer.
func (all *announcements) take(ctx context.Context, taskUUID string, ofClient any) *announcement {
	for {
		all.mu.Lock()
		a := all.byUUID[taskUUID]
		if a == nil || a.backend.identity != ofClient {
			all.mu.Unlock()
			return nil
		}
		writing := a.writing
		if writing == nil {
			a.alarm.stop()
			delete(all.byUUID, taskUUID)
			all.mu.Unlock()
			return a
		}
		all.mu.Unlock()
		select {
		case <-writing:
		case <-ctx.Done():
			return nil
		}
	}
}

// takeAnnounced returns the state PENDING that is to be written with a task, nil if there is none.
func (b *broker) takeAnnounced(ctx context.Context, signature *tasks.Signature) *announcement {
	a := announced.take(ctx, signature.UUID, b.identity)
	if a == nil {
		return nil
	}
	a.backend.paired.Store(true)
	if a.state == nil {
		return nil
	}
	return a
}
