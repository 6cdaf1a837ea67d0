package redisadapter_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	miniserver "github.com/alicebob/miniredis/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// Between two pauses a worker returns no more tasks than it has in its slots and one fetch brings. How long that takes on
// a busy machine does not matter: no pause is shorter than it should be.
func TestQueueOfUnknownTasksIsReadAtLeisure(t *testing.T) {
	t.Parallel()
	const rounds, perRound, pause = 5, 8, 100 * time.Millisecond
	s, server := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	publish(t, broker, task("other", "a"), task("other", "b"))
	var returned atomic.Int32
	server.Server().SetPreHook(func(_ *miniserver.Peer, command string, args ...string) bool {
		if command == "RPUSH" && args[0] == s.cnf.DefaultQueue {
			returned.Add(1)
		}
		return false
	})
	began := time.Now()
	work(t, broker, 4, &processor{})
	eventually(t, func() bool { return returned.Load() > rounds*perRound })
	require.GreaterOrEqual(t, time.Since(began), (rounds-1)*pause, "the last one may not be over")
}

func TestWorkerGoesOnWhenRedisComesBack(t *testing.T) {
	t.Parallel()
	s, server := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	broker.SetRegisteredTaskNames([]string{"add"})
	var seen journal
	ended := work(t, broker, 1, &processor{Func: seen.Add})
	publish(t, broker, task("add", "a"))
	seen.AwaitInOrder(t, "a")

	server.Close()
	short, cancel := context.WithTimeout(context.Background(), glance)
	defer cancel()
	require.Error(t, broker.Publish(short, task("add", "lost")))
	// A closed server keeps the context that ended its blocking commands, and would answer none of them.
	server.Ctx, server.CtxCancel = context.WithCancel(context.Background())
	require.NoError(t, server.Restart())
	publish(t, broker, task("add", "b"))
	seen.AwaitInOrder(t, "a", "b")
	require.False(t, closed(ended)())
}

func TestWorkerOutlivesErrorsOfRedis(t *testing.T) {
	t.Parallel()
	s, server := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	broker.SetRegisteredTaskNames([]string{"add"})
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	publish(t, broker, task("add", "a"))
	seen.AwaitInOrder(t, "a")

	var refused atomic.Int32
	server.Server().SetPreHook(func(peer *miniserver.Peer, command string, _ ...string) bool {
		if command == "EVALSHA" {
			refused.Add(1)
		}
		peer.WriteError("ERR out of order")
		return true
	})
	eventually(t, func() bool { return refused.Load() > 0 })
	server.Server().SetPreHook(nil)
	publish(t, broker, task("add", "b"))
	seen.AwaitInOrder(t, "a", "b")
}
