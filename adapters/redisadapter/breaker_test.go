package redisadapter_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// errBackend is what Machinery's worker returns while its result backend is down.
var errBackend = fmt.Errorf("%s for task returned error: dial tcp: connection refused", "Set state to 'started'")

func TestFailureOfTheBackendIsNoAttemptAtATask(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		letters := redisadapter.NewDeadLetters(s.client, s.name+":letters")
		broker := newWorkingBroker(s, redisadapter.WithMaxAttempts(2), redisadapter.WithDeadLetters(letters),
			redisadapter.WithBackoff(time.Millisecond, time.Millisecond))
		var down atomic.Bool
		down.Store(true)
		var tries atomic.Int32
		var seen journal
		work(t, broker, 2, &processor{Func: func(signature *tasks.Signature) error {
			tries.Add(1)
			if down.Load() {
				return errBackend
			}
			return seen.Add(signature)
		}})
		publish(t, broker, task("add", "a"), task("add", "b"), task("add", "c"))
		eventually(t, func() bool { return tries.Load() > 20 })
		down.Store(false)
		eventually(t, func() bool { return seen.Len() == 3 })
		require.ElementsMatch(t, []string{"a", "b", "c"}, seen.UUIDs())
		require.Zero(t, count(t, letters))
	})
}

func TestWorkerWhoseBackendFailsTakesNoTasks(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	broker := newWorkingBroker(s, redisadapter.WithBackoff(time.Hour, time.Hour))
	var tries atomic.Int32
	failed := make(chan struct{}, 100)
	ended := work(t, broker, 2, &processor{Func: func(*tasks.Signature) error {
		tries.Add(1)
		failed <- struct{}{}
		return errBackend
	}})
	for i := range 100 {
		s.enqueue(t, message(fmt.Sprint(i)))
	}
	<-failed
	// The two that may have been taken before the first has failed, and one more to each of them.
	require.Never(t, func() bool { return tries.Load() > 4 }, glance, tick)
	broker.StopConsuming()
	<-ended
	deferred, err := s.client.ZCard(t.Context(), s.key("deferred")).Result()
	require.NoError(t, err)
	require.Equal(t, 100, s.queued(t)+int(deferred))
}
