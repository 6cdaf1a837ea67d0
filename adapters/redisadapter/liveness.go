package redisadapter

import (
	"sync"
	"time"
)

// beatsPerTimeout is how often a consumer says that it lives in the time after which it is taken for dead.
const beatsPerTimeout = 4

// liveness is what a consumer knows about its own heartbeats.
type liveness struct {
	timeout time.Duration

	mu          sync.Mutex
	lastBeat    time.Time
	steadySince time.Time
}

// beat notes a heartbeat, and how long ago the one before was by the clock of Redis: less than nothing if Redis did not
// know the consumer. It reports whether that was so long that others may have taken the consumer for dead.
func (l *liveness) beat(now time.Time, since time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.lastBeat.IsZero()
	missed := first || since < 0 || max(since, now.Sub(l.lastBeat)) > l.timeout*2/3
	if missed {
		l.steadySince = now
	}
	l.lastBeat = now
	return !first && (since < 0 || since > l.timeout)
}

// steady reports whether no heartbeat was missed for a whole timeout. Others that could not reach Redis at the same
// time have been heard of again by then.
func (l *liveness) steady() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastBeat.Sub(l.steadySince) >= l.timeout
}
