package redisadapter

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
)

// outagePauses are those between attempts that fail because of Redis. The client has then tried some times itself,
// within about a second.
var outagePauses = backoff.Policy{First: 10 * time.Millisecond, Last: time.Second}

// retry repeats an operation while Redis cannot be reached, at most for timeout and while ctx lasts. The operation may
// have been done when its reply was lost.
func retry(ctx context.Context, timeout time.Duration, operation func() error) error {
	giveUp := time.Now().Add(timeout)
	for failures := 1; ; failures++ {
		err := operation()
		if !isOutage(err) {
			return err
		}
		pause := outagePauses.Pause(failures)
		if time.Now().Add(pause).After(giveUp) || !backoff.Sleep(ctx, pause) {
			return err
		}
	}
}

// outageReplies begin the errors of a Redis that starts, fails over or cannot save. That it is full is none: a sender
// is told at once, and what a worker does works all the same.
var outageReplies = []string{
	"LOADING ", "READONLY ", "MASTERDOWN ", "CLUSTERDOWN ", "TRYAGAIN ", "NOREPLICAS ", "BUSY ", "MISCONF ",
	"ERR max number of clients reached",
}

// An outageError is one for which the same call may succeed later. The middleware asks for Temporary before it takes
// an error for a refusal.
type outageError struct{ error }

func (e *outageError) Unwrap() error { return e.error }

// Temporary returns true.
func (e *outageError) Temporary() bool { return true }

// isFull reports whether Redis has refused a command because it has reached maxmemory.
func isFull(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && says(reply, "OOM ")
}

// says reports whether a reply begins so. Redis 6.2 puts an error of a command in a script, after a hyphen, at the end of
// one of the script.
func says(reply redis.Error, beginning string) bool {
	text := reply.Error()
	return strings.HasPrefix(text, beginning) || strings.Contains(text, ": -"+beginning)
}

// isWrongType reports whether a key holds something else than it should.
func isWrongType(err error) bool { return err != nil && strings.Contains(err.Error(), "WRONGTYPE") }

// isOutage reports whether the same command may succeed later. Whatever is no reply of Redis is trouble in reaching it.
func isOutage(err error) bool {
	if err == nil || errors.Is(err, redis.ErrClosed) || errors.Is(err, context.Canceled) {
		return false
	}
	var reply redis.Error
	if !errors.As(err, &reply) {
		return true
	}
	return slices.ContainsFunc(outageReplies, func(prefix string) bool {
		return says(reply, prefix)
	})
}
