package redisadapter

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

// Each consumer of a worker has a releaser: one that sees to the delayed tasks too, and those of its other queues.
func TestReleaserLooksAtOnceWhenAMessageIsDeferred(t *testing.T) {
	t.Parallel()
	for name, claim := range map[string]*claim{"first queue": {}, "another queue": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				worker := lifecycle.NewWorkers().Start(lifecycle.Name{})
				defer worker.End()
				r := &releaser{
					claim:        claim,
					processing:   newProcessing(nil, "q"),
					lifecycle:    worker,
					nextDeferred: time.Now().Add(deferredPoll),
				}
				began := time.Now()
				time.AfterFunc(time.Second, func() { signal(r.processing.deferred) })
				r.wait(time.Hour, nil)
				require.Equal(t, time.Second, time.Since(began))
				require.True(t, r.nextDeferred.IsZero())

				r.wait(time.Minute, nil)
				require.Equal(t, time.Second+time.Minute, time.Since(began))
			})
		})
	}
}
