package redisadapter

import (
	"sync"
	"time"
)

// beatsPerTimeout is how often a consumer says that it lives in the time after which it is taken for dead.
const beatsPerTimeout = 4

// silence is what a consumer knows about its own heartbeats.
type silence struct {
	timeout time.Duration

	mu          sync.Mutex
	lastBeat    time.Time
	steadySince time.Time
}

// end notes a heartbeat, and for how long the consumer was silent before by the clock of Redis: less than nothing if
// Redis did not know it. It tells whether that was so long that others may have taken the consumer for dead.
func (s *silence) end(now time.Time, silent time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.lastBeat.IsZero()
	missed := first || silent < 0 || max(silent, now.Sub(s.lastBeat)) > s.timeout*2/3
	if missed {
		s.steadySince = now
	}
	s.lastBeat = now
	return !first && (silent < 0 || silent > s.timeout)
}

// steady tells whether no heartbeat was missed for a whole timeout. Others that could not reach Redis at the same time
// have been heard of again by then.
func (s *silence) steady() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastBeat.Sub(s.steadySince) >= s.timeout
}
