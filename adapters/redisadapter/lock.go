package redisadapter

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	lockiface "github.com/RichardKnop/machinery/v2/locks/iface"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// ErrLockHeld is returned by a lock when the key is locked for this firing of a periodic task already, or when the time
// until which it was to be locked is past.
var ErrLockHeld = errors.New("redisadapter: lock is held")

const (
	defaultLockTimeout = 15 * time.Second
	// A process that waits for the end of another's lock leaves the owner that long to lock its next firing, but no
	// more than a tenth of the time between two firings. Otherwise processes whose firings lie apart, as those of
	// "@every" do, would take over from each other, each time with a firing too many.
	maxOwnerPrecedence = time.Second
)

// LockOption changes how a lock works. One that cannot be meant is an ErrConfig of every attempt to lock.
type LockOption func(*lock) error

// WithLockTimeout sets for how long LockWithRetries goes on trying while Redis fails (default 15 s, and never longer
// than until the next firing). Machinery does not send a periodic task whose lock returned an error. Zero leaves it at
// what the client retries; less cannot be meant.
func WithLockTimeout(timeout time.Duration) LockOption {
	return func(l *lock) error {
		if timeout < 0 {
			return invalid(fmt.Sprintf("WithLockTimeout(%v)", timeout), "it must not be negative")
		}
		l.timeout = timeout
		return nil
	}
}

// NewLock makes a lock by which each firing of a periodic task is sent by one process of many. Give it to
// machinery.NewServer in each of them, on clients of the same Redis.
//
// Machinery names a firing by the name of the executable, the task's name and its schedule, so these must be the same
// everywhere, and it locks each firing until the next one by its own clock. The lock takes from that no more than how
// long it is to be held, and Redis measures it: clocks may be wrong, as long as the firings of different processes lie
// less than half of the time between two firings apart. Further apart, and with "@every", whose firings count from the
// start of each process, there is still one in each such time, and one too many at most when another process takes
// over.
//
// When the owner of a lock dies, the next firing is another's. A process that asks while the lock of an earlier firing
// is held (less than half of its own time is left to it) waits for its end, and a second more for the owner.
//
// A firing is not sent where the process that locked it dies before it has sent the task, or where Redis is away for
// longer than the timeout (see WithLockTimeout; the log says so). It can be sent twice where Redis loses the lock: in a
// failover, or by a restart without persistence.
func NewLock(client redis.UniversalClient, opts ...LockOption) lockiface.Lock {
	l := &lock{take: takeIn(client), owner: rand.Text(), now: time.Now, timeout: defaultLockTimeout, logger: middleware.MachineryLogger()}
	for _, option := range opts {
		l.invalid = errors.Join(l.invalid, option(l))
	}
	return l
}

// lock needs no release: a key is locked until just before the owner's next firing.
type lock struct {
	take    takeFunc
	owner   string
	now     func() time.Time
	timeout time.Duration
	logger  *slog.Logger
	// invalid is what is wrong with the options.
	invalid error
}

// Lock tries once. It returns ErrLockHeld, ErrConfig, or the error of Redis.
func (l *lock) Lock(key string, unixTsToExpireNs int64) error {
	if l.invalid != nil {
		return l.invalid
	}
	_, err := l.attempt(key, rand.Text(), l.left(unixTsToExpireNs))
	return err
}

// LockWithRetries waits for the end of a lock that belongs to an earlier firing, and tries again when Redis fails. It
// does not wait for one that belongs to the same firing.
func (l *lock) LockWithRetries(key string, unixTsToExpireNs int64) error {
	if l.invalid != nil {
		l.logger.Error("a firing of a periodic task is not sent", "error", l.invalid)
		return l.invalid
	}
	period := l.left(unixTsToExpireNs)
	call := rand.Text() // the same each time: an attempt may have locked the key and lost the reply
	var failures lockFailures
	for {
		left := l.left(unixTsToExpireNs)
		remaining, err := l.attempt(key, call, left)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, ErrLockHeld):
			if !failures.pause(min(l.timeout, left)) {
				l.logger.Error("redis fails, a firing of a periodic task is not sent", "error", err)
				return err
			}
		case isOfThisFiring(remaining, left):
			return err
		default:
			failures = lockFailures{}
			time.Sleep(remaining + min(maxOwnerPrecedence, period/10))
		}
	}
}

// isOfThisFiring reports whether a lock belongs to the firing that a process asks for, by how much is left of it, and
// of the time until the process' next firing. They differ by how far the clocks do. That of the firing before is about
// to end.
func isOfThisFiring(remaining, left time.Duration) bool { return remaining >= left/2 }

// attempt returns with ErrLockHeld for how long the key is still locked.
func (l *lock) attempt(key, call string, left time.Duration) (time.Duration, error) {
	if left <= 0 {
		return 0, ErrLockHeld
	}
	remaining, err := l.take(context.Background(), key, lockClaim{l.owner, call, left})
	if err != nil {
		return 0, fmt.Errorf("lock %s: %w", key, err)
	}
	if remaining != taken {
		return remaining, ErrLockHeld
	}
	return 0, nil
}

// left is how long it is to the time until which the lock is asked for, both by the clock of this process.
func (l *lock) left(unixTsToExpireNs int64) time.Duration {
	return time.Unix(0, unixTsToExpireNs).Sub(l.now())
}

// lockFailures are those in a row of one call.
type lockFailures struct {
	count int
	since time.Time
}

// pause reports whether to try again, after it has waited.
func (f *lockFailures) pause(timeout time.Duration) bool {
	if f.count == 0 {
		f.since = time.Now()
	}
	f.count++
	pause := backoff.Policy{First: 20 * time.Millisecond, Last: time.Second, Jitter: true}.Pause(f.count)
	if time.Since(f.since)+pause > timeout {
		return false
	}
	time.Sleep(pause)
	return true
}
