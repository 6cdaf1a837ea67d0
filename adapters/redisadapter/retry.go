package redisadapter

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-redis/redis/v8"
)

// defaultRetryTimeout outlasts a restart of Redis and most failovers.
const defaultRetryTimeout = 15 * time.Second

const (
	firstRetryPause = 10 * time.Millisecond
	lastRetryPause  = time.Second
)

// retry repeats an operation while Redis cannot be reached, at most for timeout and while ctx lasts. go-redis has then
// tried it some times itself, within about a second. The operation may have been done when its reply was lost.
func retry(ctx context.Context, timeout time.Duration, operation func() error) error {
	giveUp := time.Now().Add(timeout)
	for pause := firstRetryPause; ; pause = min(2*pause, lastRetryPause) {
		err := operation()
		if !isOutage(err) || time.Now().Add(pause).After(giveUp) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// outageReplies begin the errors of a Redis that starts, fails over or has no room for the moment.
var outageReplies = []string{
	"LOADING ", "READONLY ", "MASTERDOWN ", "CLUSTERDOWN ", "TRYAGAIN ", "NOREPLICAS ", "BUSY ", "OOM ", "MISCONF ",
	"ERR max number of clients reached",
}

// isOutage tells whether the same command may succeed later. Whatever is no reply of Redis is trouble in reaching it.
func isOutage(err error) bool {
	if err == nil || errors.Is(err, redis.ErrClosed) || errors.Is(err, context.Canceled) {
		return false
	}
	var reply redis.Error
	if !errors.As(err, &reply) {
		return true
	}
	return slices.ContainsFunc(outageReplies, func(prefix string) bool {
		return strings.HasPrefix(reply.Error(), prefix)
	})
}
