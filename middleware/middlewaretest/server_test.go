package middlewaretest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/middleware/middlewaretest"
)

func TestTasksWaitUntilTheyAreRun(t *testing.T) {
	s := newShop(t)
	res := send(t, s, signature(t, s, "orders.price", order, 250))
	pending, err := s.GetBroker().GetPendingTasks("")
	require.NoError(t, err)
	require.Len(t, pending, 1)
	assert.Equal(t, tasks.StatePending, stateOf(t, s, pending[0].UUID))

	assert.True(t, s.RunOne())
	assert.False(t, s.RunOne())
	assert.Equal(t, Quote{"o-1", 750}, await[Quote](t, s, res))
}

func newChord(t testing.TB, s *middlewaretest.Server) *tasks.Chord {
	group, err := tasks.NewGroup(
		signature(t, s, "orders.price", order, 250),
		signature(t, s, "orders.price", order, 240),
		signature(t, s, "orders.price", order, 260),
	)
	require.NoError(t, err)
	chord, err := tasks.NewChord(group, signature(t, s, "orders.cheapest"))
	require.NoError(t, err)
	return chord
}

func TestAChordRuns(t *testing.T) {
	s := newShop(t)
	res, err := s.Middleware.SendChord(t.Context(), newChord(t, s), 1)
	require.NoError(t, err)
	assert.Equal(t, 4, s.Run(t.Context()))
	assert.Equal(t, Quote{"o-1", 720}, await[Quote](t, s, res))
}

func TestARetryWaitsForTheClock(t *testing.T) {
	s := newShop(t)
	calls := 0
	register(t, s, "flaky", func(Order) error {
		if calls++; calls < 3 {
			return errors.New("busy")
		}
		return nil
	})
	flaky := signature(t, s, "flaky", order)
	flaky.RetryCount = 2
	send(t, s, flaky)

	assert.Equal(t, 1, s.Run(t.Context()))
	assert.Equal(t, tasks.StatePending, stateOf(t, s, flaky.UUID), "Machinery sends it again")
	for _, pause := range []time.Duration{time.Second, 2 * time.Second} {
		s.Advance(pause - time.Second)
		assert.Equal(t, 0, s.Run(t.Context()))
		s.Advance(time.Second)
		assert.Equal(t, 1, s.Run(t.Context()))
	}
	assert.Equal(t, tasks.StateSuccess, stateOf(t, s, flaky.UUID))
	assert.Len(t, middlewaretest.Sent(s), 1, "a retry is not sent anew")
}

func TestAnETAIsAheadOfTimeNow(t *testing.T) {
	s := newShop(t)
	s.Advance(48 * time.Hour)
	for _, delay := range []time.Duration{2 * time.Hour, time.Hour} {
		later := signature(t, s, "orders.price", order, 250)
		eta := time.Now().Add(delay)
		later.ETA = &eta
		send(t, s, later)
	}
	delayed, err := s.GetBroker().GetDelayedTasks()
	require.NoError(t, err)
	assert.Len(t, delayed, 2)
	assert.Equal(t, 0, s.Run(t.Context()))
	s.Advance(time.Hour)
	assert.Equal(t, 1, s.Run(t.Context()))
	assert.Equal(t, tasks.StateSuccess, stateOf(t, s, middlewaretest.Sent(s)[1].UUID))
	s.Advance(time.Hour)
	assert.Equal(t, 1, s.Run(t.Context()))
}

func TestTheClockStandsStill(t *testing.T) {
	s := newShop(t)
	soon := signature(t, s, "orders.price", order, 250)
	eta := time.Now().Add(time.Millisecond)
	soon.ETA = &eta
	sent := time.Now()
	send(t, s, soon)
	for time.Since(sent) < 2*time.Millisecond {
		assert.Equal(t, 0, s.Run(t.Context()))
	}
	s.Advance(time.Millisecond)
	assert.Equal(t, 1, s.Run(t.Context()))
}

func TestInABubbleTheClockIsTimeNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		later := signature(t, s, "orders.price", order, 250)
		eta := time.Now().Add(2 * time.Hour)
		later.ETA = &eta
		send(t, s, later)
		time.Sleep(time.Hour)
		assert.Equal(t, 0, s.Run(t.Context()))
		before := time.Now()
		s.Advance(time.Hour)
		assert.Equal(t, time.Hour, time.Since(before))
		assert.Equal(t, 1, s.Run(t.Context()))
	})
}

func TestInABubblePeriodicTasksFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		require.NoError(t, s.RegisterPeriodicTask("@every 1h", "hourly", signature(t, s, "orders.price", order, 250)))
		s.Advance(3*time.Hour + time.Minute)
		synctest.Wait()
		assert.Equal(t, 3, s.Run(t.Context()))
	})
}

func TestALaunchedWorkerRunsTasksByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		ended := make(chan error, 1)
		s.Worker().LaunchAsync(ended)
		later := signature(t, s, "orders.price", order, 250)
		eta := time.Now().Add(time.Hour)
		later.ETA = &eta
		quote, err := middleware.Await[Quote](t.Context(), s.Middleware, send(t, s, later))
		require.NoError(t, err)
		assert.Equal(t, Quote{"o-1", 750}, quote)
		assert.False(t, time.Now().Before(eta))
		s.Worker().Quit()
		s.Worker().Quit()
		require.NoError(t, <-ended)
	})
}

func TestAWorkerThatQuitsWaitsForItsTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		ended, isDone := make(chan error, 1), false
		register(t, s, "slow", func() error {
			time.Sleep(time.Minute)
			isDone = true
			return nil
		})
		s.Worker().LaunchAsync(ended)
		send(t, s, signature(t, s, "slow"))
		synctest.Wait()
		s.Worker().Quit()
		assert.True(t, isDone)
		require.NoError(t, <-ended)

		send(t, s, signature(t, s, "slow"))
		s.Worker().LaunchAsync(ended)
		require.NoError(t, <-ended, "a broker that has stopped starts no worker")
	})
}

func TestEachQueueIsItsOwn(t *testing.T) {
	s := newShop(t)
	var servedBy []string
	register(t, s, "serve", func(ctx context.Context) error {
		servedBy = append(servedBy, tasks.SignatureFromContext(ctx).RoutingKey)
		return nil
	})
	special := signature(t, s, "serve")
	special.RoutingKey = "special"
	send(t, s, special)
	send(t, s, signature(t, s, "serve"))
	pending, err := s.GetBroker().GetPendingTasks("special")
	require.NoError(t, err)
	assert.Len(t, pending, 1)
	assert.Equal(t, 2, s.Run(t.Context()))
	assert.Equal(t, []string{"special", middlewaretest.DefaultQueue}, servedBy)
}

func TestServersThatAreConnectedShareTheirTasks(t *testing.T) {
	worker := newShop(t)
	sender := worker.Connect(newRegistry())
	res := send(t, sender, signature(t, sender, "orders.price", order, 250))
	assert.Equal(t, 0, sender.Run(t.Context()), "the sender knows no task")
	assert.Equal(t, 1, worker.Run(t.Context()))
	assert.Equal(t, Quote{"o-1", 750}, await[Quote](t, sender, res))
}

func TestAnUnknownTaskWaitsOrIsDropped(t *testing.T) {
	s := newShop(t)
	send(t, s, signature(t, s, "unknown"))
	dropped := signature(t, s, "unknown")
	dropped.IgnoreWhenTaskNotRegistered = true
	send(t, s, dropped)
	assert.Equal(t, 1, s.Run(t.Context()))
	register(t, s, "unknown", func() error { return nil })
	assert.Equal(t, 1, s.Run(t.Context()))
}

func TestAnApplicationInstallsTheMiddlewareItself(t *testing.T) {
	s := middlewaretest.NewServer(t, nil)
	handled := false
	m, err := middleware.Install(s.Server, newRegistry(), middleware.WithPreTask(func(*tasks.Signature) { handled = true }))
	require.NoError(t, err)
	require.NoError(t, m.RegisterTask("orders.price", price))
	made, err := m.Signature(t.Context(), "orders.price", order, 250)
	require.NoError(t, err)
	quote, err := middlewaretest.Run[Quote](t, m, made)
	require.NoError(t, err)
	assert.Equal(t, Quote{"o-1", 750}, quote)
	assert.True(t, handled)
}

func TestTheWorkerHasHandlersOfTheApplication(t *testing.T) {
	s := newShop(t)
	var after []string
	s.Worker().SetPostTaskHandler(func(s *tasks.Signature) { after = append(after, s.Name) })
	send(t, s, signature(t, s, "orders.price", order, 250))
	s.Run(t.Context())
	assert.Equal(t, []string{"orders.price"}, after)
}

func TestRunEndsWithItsContext(t *testing.T) {
	failure := failureOf(t, func(tb middlewaretest.TB) {
		s := middlewaretest.NewServer(tb, newRegistry())
		again := func() error {
			_, err := s.SendTask(&tasks.Signature{Name: "again"})
			return err
		}
		register(t, s, "again", again)
		require.NoError(t, again())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Run(ctx)
	})
	assert.Contains(t, failure, "context canceled after 1 tasks")
}

func TestResultsKeepEveryBit(t *testing.T) {
	s := newShop(t)
	register(t, s, "big", func(n uint64) (uint64, error) { return n, nil })
	n, err := middlewaretest.Run[uint64](t, s.Middleware, signature(t, s, "big", uint64(1<<63+1)))
	require.NoError(t, err)
	assert.Equal(t, uint64(1<<63+1), n)
}
