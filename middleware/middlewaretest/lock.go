package middlewaretest

import (
	"errors"
	"fmt"
	"time"
)

// errLockHeld is what a scheduler gets that is not to send a periodic task, since that of another server has.
var errLockHeld = errors.New("lock is held")

// A lock has each firing of a periodic task sent by one of the servers that share a memory. It holds by time.Now, as
// the schedulers do.
type lock struct{ memory *memory }

// LockWithRetries is Lock: nobody gives a lock back.
func (l lock) LockWithRetries(key string, until int64) error { return l.Lock(key, until) }

// Lock takes a lock until a time in nanoseconds.
func (l lock) Lock(key string, until int64) error {
	l.memory.mu.Lock()
	defer l.memory.mu.Unlock()
	if time.Now().UnixNano() <= l.memory.locks[key] {
		return fmt.Errorf("%w: %s", errLockHeld, key)
	}
	l.memory.locks[key] = until
	return nil
}
