package lifecycle_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

var (
	one   = lifecycle.Name{Tag: "one", Queue: "queue"}
	other = lifecycle.Name{Tag: "other", Queue: "queue"}
)

func TestStopOfOneWaitsForItAndLeavesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		workers := lifecycle.NewWorkers()
		first, second := workers.Start(one), workers.Start(other)
		stopped := false
		go func() {
			workers.StopOne(one)
			stopped = true
		}()
		synctest.Wait()
		require.True(t, first.IsStopping())
		require.False(t, second.IsStopping())
		require.False(t, stopped)
		require.Nil(t, workers.Start(one))
		first.End()
		synctest.Wait()
		require.True(t, stopped)
		second.End()
		workers.StopAll()
		require.Nil(t, workers.Start(other))
	})
}

func TestWorkerThatWasStoppedBeforeItsStartDoesNotStart(t *testing.T) {
	workers := lifecycle.NewWorkers()
	workers.StopOne(one)
	require.Nil(t, workers.Start(one))
	workers.StopAll()
	require.Nil(t, workers.Start(other))
}

func TestSleepEndsWithTheWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		workers := lifecycle.NewWorkers()
		worker := workers.Start(one)
		require.True(t, worker.Sleep(time.Hour))
		ended := make(chan bool)
		go func() {
			ended <- worker.Sleep(time.Hour)
			worker.End()
		}()
		go workers.StopAll()
		require.False(t, <-ended)
	})
}

func TestStartsThatFailAreCountedInARow(t *testing.T) {
	worker := lifecycle.NewWorkers().Start(one)
	require.Equal(t, 1, worker.Failed())
	require.Equal(t, 2, worker.Failed())
	worker.Started()
	require.Equal(t, 1, worker.Failed())
}

func TestGraceBeginsWithTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopping, stop := context.WithCancel(t.Context())
		ctx, cancel := lifecycle.WithGrace(t.Context(), stopping, time.Second)
		defer cancel()
		time.Sleep(time.Hour)
		require.NoError(t, ctx.Err())
		stop()
		begun := time.Now()
		<-ctx.Done()
		require.Equal(t, time.Second, time.Since(begun))
		require.ErrorIs(t, context.Cause(ctx), context.DeadlineExceeded)

		late, cancelLate := lifecycle.WithGrace(t.Context(), stopping, time.Second)
		defer cancelLate()
		synctest.Wait()
		require.NoError(t, late.Err(), "what begins while the worker stops has its time too")
	})
}
