package redisadapter

import (
	"maps"
	"sync"
	"time"
)

// ackDelay is after how long the fetcher counts as away that has not come to acknowledge what is done. It may wait for a
// slot that another task has taken, which may run for hours.
const ackDelay = 20 * time.Millisecond

// message is a message that a consumer has taken.
type message struct {
	body string
	// failures is how many attempts at it have failed, where it is isolated for that; else 0.
	failures int
}

// disposition is what became of a message.
type disposition int

const (
	processed disposition = iota // it is to be acknowledged
	moved                        // Redis has it elsewhere
	kept                         // it stays in the processing list until the consumer leaves
)

// inFlight are the messages that a consumer has taken.
type inFlight struct {
	slots *share

	mu   sync.Mutex
	held map[string]int // copies of a message that are running, or done and not acknowledged yet
	done []string       // not acknowledged yet
	// isolated is set while a message runs that may kill the worker: one at a time, so that it is clear which one did.
	isolated bool
	// away is set while the fetcher does what may take long. It acknowledges what is done when it fetches.
	away    bool
	overdue *time.Timer // of what is done while the fetcher is not away; nil where nothing is

	ackDue chan struct{} // for the acknowledger, while the fetcher is away
}

func newInFlight(slots *share) *inFlight {
	return &inFlight{slots: slots, held: make(map[string]int), ackDue: make(chan struct{}, 1)}
}

// snapshot returns the copies held of each message.
func (f *inFlight) snapshot() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.held)
}

func (f *inFlight) mayTakeIsolated() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.isolated
}

// take uses a slot that was reserved.
func (f *inFlight) take(m message) *slot {
	taken := f.slots.take()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held[m.body]++
	f.isolated = f.isolated || m.failures > 0
	return taken
}

// finish notes what became of a message.
func (f *inFlight) finish(m message, d disposition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m.failures > 0 {
		f.isolated = false
	}
	switch d {
	case processed:
		f.done = append(f.done, m.body)
		if f.away {
			signal(f.ackDue)
		}
		f.awaitFetcher()
	case moved:
		f.forget(m.body)
	}
}

// awaitFetcher is called with mu locked, when there may be something done.
func (f *inFlight) awaitFetcher() {
	if len(f.done) > 0 && !f.away && f.overdue == nil {
		f.overdue = time.AfterFunc(ackDelay, f.leave)
	}
}

// stopAwaiting is called with mu locked.
func (f *inFlight) stopAwaiting() {
	if f.overdue != nil {
		f.overdue.Stop()
		f.overdue = nil
	}
}

// forget is called with mu locked.
func (f *inFlight) forget(body string) {
	if f.held[body]--; f.held[body] <= 0 {
		delete(f.held, body)
	}
}

// leave and comeBack enclose what keeps the fetcher from acknowledging.
func (f *inFlight) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = true
	f.stopAwaiting()
	if len(f.done) > 0 {
		signal(f.ackDue)
	}
}

func (f *inFlight) comeBack() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = false
	f.awaitFetcher()
}

// takeDone hands over what is to be acknowledged, to the fetcher, which is there then. acknowledged must follow.
func (f *inFlight) takeDone() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = false
	f.stopAwaiting()
	bodies := f.done
	f.done = nil
	return bodies
}

// takeDoneWhileAway is takeDone for the acknowledger: it leaves alone what the fetcher is about to acknowledge.
func (f *inFlight) takeDoneWhileAway() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.away {
		return nil
	}
	bodies := f.done
	f.done = nil
	return bodies
}

// acknowledged notes how acknowledging ended. What failed is still to be acknowledged.
func (f *inFlight) acknowledged(bodies []string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.done = append(bodies, f.done...)
		f.awaitFetcher()
		return
	}
	for _, body := range bodies {
		f.forget(body)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
