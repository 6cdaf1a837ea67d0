package redisadapter

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

func TestFetcherPausesOnceForARoundOfUnknownTasks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slots := newSlots(1, []queueShare{{name: "q"}})
		l := lifecycle.NewWorkers().Start(lifecycle.Name{})
		defer l.End()
		f := &fetcher{
			inFlight:  newInFlight(slots.shares[0]),
			slots:     slots.shares[0],
			lifecycle: l,
			unknown:   new(unknownTasks),
			ready:     func() bool { return true },
		}
		began := time.Now()
		require.True(t, f.wants())
		require.Zero(t, time.Since(began))

		f.unknown.returned(1)
		require.False(t, f.wants())
		require.Equal(t, unknownPause, time.Since(began))
		require.True(t, f.wants())
		require.Equal(t, unknownPause, time.Since(began))
	})
}

func TestWorkerLooksForOthersUnlessOneCameToAWorkerThatHasLookedAMomentAgo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fetcher{processing: new(processing), runner: &runner{executing: new(executing)}}
		require.False(t, f.expectsNone(), "it has never looked")
		f.looked = time.Now()
		require.True(t, f.expectsNone())

		f.runner.executing.begin()
		require.False(t, f.expectsNone(), "they come faster than they are done")
		f.runner.executing.end()
		f.processing.levels = []string{"level"}
		require.False(t, f.expectsNone(), "one of a higher priority may wait")
		f.processing.levels = nil
		require.True(t, f.expectsNone())

		time.Sleep(pauseNotice)
		require.False(t, f.expectsNone(), "the queue may be paused")
	})
}
