package redisadapter_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	miniserver "github.com/alicebob/miniredis/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func TestGarbageDoesNotStopTheWorker(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		for _, garbage := range []string{"", "garbage", "null", "{}", `{"Name":1}`, "[]", "\xff"} {
			require.NoError(t, s.client.RPush(context.Background(), s.cnf.DefaultQueue, garbage).Err())
		}
		broker := redisadapter.NewBroker(s.cnf, s.client)
		broker.SetRegisteredTaskNames([]string{"add"})
		var seen journal
		work(t, broker, 1, &processor{process: seen.add})
		publish(t, broker, task("add", "a"))

		seen.awaitUUIDs(t, "a")
		require.Zero(t, s.queued(t))
	})
}

func TestFailingProcessorDoesNotStopTheWorker(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := redisadapter.NewBroker(s.cnf, s.client)
		broker.SetRegisteredTaskNames([]string{"add"})
		var seen journal
		work(t, broker, 1, &processor{process: func(signature *tasks.Signature) error {
			return errors.Join(seen.add(signature), errors.New("backend down"))
		}})
		publish(t, broker, task("add", "a"), task("add", "b"), task("add", "c"))
		seen.awaitUUIDs(t, "a", "b", "c")
	})
}

func TestNoMoreTasksRunAtOnceThanAllowed(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := redisadapter.NewBroker(s.cnf, s.client)
		broker.SetRegisteredTaskNames([]string{"slow"})
		var running atomic.Int32
		finish := make(chan struct{})
		work(t, broker, 3, &processor{process: func(*tasks.Signature) error {
			running.Add(1)
			<-finish
			return nil
		}})
		defer close(finish)
		for range 5 {
			publish(t, broker, task("slow", "a"))
		}
		eventually(t, func() bool { return running.Load() == 3 })
		require.Never(t, func() bool { return running.Load() > 3 }, glance, tick)
		require.Equal(t, 2, s.queued(t), "a task that cannot run yet stays in the queue")
	})
}

func TestConcurrencyUnderOneStillWorks(t *testing.T) {
	s, _ := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	broker.SetRegisteredTaskNames([]string{"add"})
	var seen journal
	work(t, broker, 0, &processor{process: seen.add})
	publish(t, broker, task("add", "a"))
	seen.awaitUUIDs(t, "a")
}

func TestTaskMayBeRegisteredWhileConsuming(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := redisadapter.NewBroker(s.cnf, s.client)
		var seen journal
		work(t, broker, 2, &processor{process: seen.add})
		publish(t, broker, task("late", "a"))
		require.Never(t, func() bool { return len(seen.uuids()) > 0 }, glance, tick)
		broker.SetRegisteredTaskNames([]string{"late"})
		seen.awaitUUIDs(t, "a")
	})
}

func TestUnknownTaskGoesBackToTheWorkersOwnQueue(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		custom := s.name + ":custom"
		one, other := redisadapter.NewBroker(s.cnf, s.client), redisadapter.NewBroker(s.cnf, s.client)
		one.SetRegisteredTaskNames([]string{"one"})
		other.SetRegisteredTaskNames([]string{"other"})
		var ones, others journal
		work(t, one, 1, &processor{process: ones.add, queue: custom})

		for _, signature := range []*tasks.Signature{task("other", "a"), task("one", "b")} {
			signature.RoutingKey = custom
			publish(t, one, signature)
		}
		ones.awaitUUIDs(t, "b")
		work(t, other, 1, &processor{process: others.add, queue: custom})
		others.awaitUUIDs(t, "a")
		require.Zero(t, s.queued(t))
	})
}

func TestUnknownTaskIsDroppedWhereItSaysSo(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := redisadapter.NewBroker(s.cnf, s.client)
		broker.SetRegisteredTaskNames([]string{"add"})
		var seen journal
		work(t, broker, 1, &processor{process: seen.add})
		dropped := task("other", "a")
		dropped.IgnoreWhenTaskNotRegistered = true
		publish(t, broker, dropped, task("add", "b"))
		seen.awaitUUIDs(t, "b")
		require.Zero(t, s.queued(t))
	})
}

func TestQueueOfUnknownTasksIsReadAtLeisure(t *testing.T) {
	s, server := embedded(t)
	s.cnf.Redis.DelayedTasksPollPeriod = int(time.Hour / time.Millisecond)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	publish(t, broker, task("other", "a"), task("other", "b"))
	work(t, broker, 4, &processor{})
	before := server.CommandCount()
	require.Never(t, func() bool { return server.CommandCount()-before > 150 }, 5*glance, tick)
}

func TestWorkerTakesNothingWhilePreConsumeHandlerRefuses(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		s.cnf.Redis.NormalTasksPollPeriod = 5
		broker := redisadapter.NewBroker(s.cnf, s.client)
		broker.SetRegisteredTaskNames([]string{"add"})
		var seen journal
		var ready atomic.Bool
		var asked atomic.Int32
		work(t, broker, 1, &processor{process: seen.add, preConsume: func() bool {
			asked.Add(1)
			return ready.Load()
		}})
		publish(t, broker, task("add", "a"))
		eventually(t, func() bool { return asked.Load() > 2 })
		require.Equal(t, 1, s.queued(t))
		ready.Store(true)
		seen.awaitUUIDs(t, "a")
	})
}

func TestWorkerGoesOnWhenRedisComesBack(t *testing.T) {
	s, server := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	broker.SetRegisteredTaskNames([]string{"add"})
	var seen journal
	ended := work(t, broker, 1, &processor{process: seen.add})
	publish(t, broker, task("add", "a"))
	seen.awaitUUIDs(t, "a")

	server.Close()
	short, cancel := context.WithTimeout(context.Background(), glance)
	defer cancel()
	require.Error(t, broker.Publish(short, task("add", "lost")))
	// A closed server keeps the context that ended its blocking commands, and would answer none of them.
	server.Ctx, server.CtxCancel = context.WithCancel(context.Background())
	require.NoError(t, server.Restart())
	publish(t, broker, task("add", "b"))
	seen.awaitUUIDs(t, "a", "b")
	require.False(t, closed(ended)())
}

func TestWorkerOutlivesErrorsOfRedis(t *testing.T) {
	s, server := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	broker.SetRegisteredTaskNames([]string{"add"})
	var seen journal
	work(t, broker, 1, &processor{process: seen.add})
	publish(t, broker, task("add", "a"))
	seen.awaitUUIDs(t, "a")

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
	seen.awaitUUIDs(t, "a", "b")
}

func TestWorkerGoesOnWhenItsConnectionsAreCut(t *testing.T) {
	s := newSite(t, realRedis(t))
	broker := redisadapter.NewBroker(s.cnf, s.client)
	broker.SetRegisteredTaskNames([]string{"add"})
	var seen journal
	work(t, broker, 1, &processor{process: seen.add})
	publish(t, broker, task("add", "a"))
	seen.awaitUUIDs(t, "a")

	ctx := context.Background()
	list, err := s.client.ClientList(ctx).Result()
	require.NoError(t, err)
	for line := range strings.Lines(list) {
		// The connection that asks is in the list too; Redis answers before it cuts that one.
		if id, _, _ := strings.Cut(line, " "); strings.Contains(line, "name="+s.name+" ") {
			require.NoError(t, s.client.ClientKillByFilter(ctx, "ID", strings.TrimPrefix(id, "id=")).Err())
		}
	}
	publish(t, broker, task("add", "b"))
	seen.awaitUUIDs(t, "a", "b")
}
