package redisadapter_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// heldSite is a site whose Redis may stop answering, to a client that would wait for it longer than a test lasts.
func heldSite(t *testing.T) (*site, *adaptertest.Network) {
	network := adaptertest.NewNetwork()
	s := newSite(t, &redis.Options{Addr: miniredis.RunT(t).Addr(), Dialer: network.Dial, ReadTimeout: time.Hour})
	t.Cleanup(func() {
		network.Release()
		// The rest of a worker that has stopped ends now. Until then the client cannot be closed without an error.
		eventually(t, func() bool {
			connections := s.client.PoolStats()
			return connections.TotalConns == connections.IdleConns
		})
	})
	return s, network
}

// The test would time out if the stop waited for Redis.
func TestIdleWorkerStopsThoughRedisDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s, network := heldSite(t)
	var seen journal
	broker := newWorkingBroker(s, redisadapter.WithStopTimeout(glance))
	ended := work(t, broker, 1, &processor{Func: seen.Add})
	s.enqueue(t, message("a"))
	seen.AwaitInOrder(t, "a")
	network.Hold()
	broker.StopConsuming()
	<-ended
}

func TestStopWaitsForItsTasksThoughRedisDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s, network := heldSite(t)
	l := newLatch(t)
	broker := newWorkingBroker(s, redisadapter.WithStopTimeout(tick))
	ended := work(t, broker, 1, &processor{Func: l.Hold})
	s.enqueue(t, message("a"))
	l.AwaitInOrder(t, "a")
	network.Hold()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		broker.StopConsuming()
	}()
	require.Never(t, closed(stopped), glance, tick)
	l.Release()
	<-stopped
	<-ended
}

// The test would time out: the workers would keep the whole pool busy.
func TestMoreWorkersThanConnectionsDoTheirTasks(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		const pool, workers = 4, 20
		options := *s.options
		options.PoolSize = pool
		client := redis.NewClient(&options)
		defer client.Close()
		log := &adaptertest.Log{}
		broker := redisadapter.NewBroker(s.cnf, client, redisadapter.WithLogger(log.Logger()))
		broker.SetRegisteredTaskNames([]string{"add"})
		var seen journal
		for i := range workers {
			work(t, broker, 1, &processor{Queue: s.name + string(rune('a'+i)), Func: seen.Add})
		}
		for i := range workers {
			signature := task("add", string(rune('a'+i)))
			signature.RoutingKey = s.name + signature.UUID
			publish(t, broker, signature)
		}
		eventually(t, func() bool { return len(distinct(&seen)) == workers })
		broker.StopConsuming()
		require.Equal(t, 1, log.Count("connection pool is too small"))
		require.Equal(t, 1, log.Count("workers=3 pool=4"), log)
	})
}

// It was not processed to its end, and nobody can tell what it has done.
func TestTaskThatEndsItsGoroutineGoesBackWithTheStop(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	broker := newWorkingBroker(s)
	begun := make(chan struct{})
	ended := work(t, broker, 1, &processor{Func: func(*tasks.Signature) error {
		close(begun)
		runtime.Goexit()
		return nil
	}})
	publish(t, broker, task("add", "a"))
	<-begun
	broker.StopConsuming()
	<-ended
	require.Equal(t, 1, s.queued(t))
}
