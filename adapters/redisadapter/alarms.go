package redisadapter

import (
	"container/heap"
	"sync"
	"time"
)

// alarms call functions later, as time.AfterFunc does, with one timer for all: nearly all are stopped long before their
// time, and to start a timer of Go wakes a thread of a process that is idle otherwise.
type alarms struct {
	mu      sync.Mutex
	pending alarmHeap
	timer   *time.Timer
	rings   time.Time // when the timer fires; zero when it does not
}

// An alarm is set by alarms, and may be set again.
type alarm struct {
	of    *alarms
	at    time.Time
	ring  func()
	place int // in the heap, while it is there
}

// set has ring called after a pause, in a goroutine of its own, unless the alarm is stopped before.
func (all *alarms) set(a *alarm, pause time.Duration, ring func()) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.remove(a)
	a.of, a.at, a.ring = all, time.Now().Add(pause), ring
	heap.Push(&all.pending, a)
	all.wind()
}

// stop is for an alarm that was set. One that rings already goes on.
func (a *alarm) stop() {
	all := a.of
	all.mu.Lock()
	defer all.mu.Unlock()
	all.remove(a)
}

// remove is called with mu locked.
func (all *alarms) remove(a *alarm) {
	if a.place < len(all.pending) && all.pending[a.place] == a {
		heap.Remove(&all.pending, a.place)
	}
}

// wind has the timer fire for the first alarm. A timer that would fire before, for one that was stopped, is left alone.
// It is called with mu locked.
func (all *alarms) wind() {
	if len(all.pending) == 0 {
		return
	}
	first := all.pending[0].at
	if !all.rings.IsZero() && !first.Before(all.rings) {
		return
	}
	all.rings = first
	if all.timer == nil {
		all.timer = time.AfterFunc(time.Until(first), all.ring)
		return
	}
	all.timer.Reset(time.Until(first))
}

// ring is called by the timer.
func (all *alarms) ring() {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.rings = time.Time{}
	for now := time.Now(); len(all.pending) > 0 && !all.pending[0].at.After(now); {
		a := heap.Pop(&all.pending).(*alarm)
		go a.ring()
	}
	all.wind()
}

// alarmHeap has the alarm that rings first at its head.
type alarmHeap []*alarm

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push is called by package heap.
func (h *alarmHeap) Push(a any) {
	added := a.(*alarm)
	added.place = len(*h)
	*h = append(*h, added)
}

// Pop is called by package heap.
func (h *alarmHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}
