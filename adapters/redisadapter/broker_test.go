package redisadapter_test

import (
	"context"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func TestPublishedTaskReachesTheWorkerUnaltered(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := redisadapter.NewBroker(s.cnf, s.client)
		broker.SetRegisteredTaskNames([]string{"add"})
		var seen journal
		work(t, broker, 1, &processor{process: seen.add})

		sent := task("add", "a", tasks.Arg{Name: "n", Type: "uint64", Value: uint64(math.MaxUint64)})
		sent.Headers = tasks.Headers{"trace": "1"}
		publish(t, broker, sent)

		seen.awaitUUIDs(t, "a")
		got := seen.signatures()[0]
		require.Equal(t, s.cnf.DefaultQueue, got.RoutingKey)
		require.Equal(t, sent.Headers, got.Headers)
		require.Equal(t, json.Number("18446744073709551615"), got.Args[0].Value)
	})
}

func TestPublishFillsAnEmptyRoutingKeyOnly(t *testing.T) {
	s, _ := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	plain, routed := task("add", "a"), task("add", "b")
	routed.RoutingKey = "elsewhere"
	publish(t, broker, plain, routed)

	require.Equal(t, s.cnf.DefaultQueue, plain.RoutingKey)
	require.Equal(t, "elsewhere", routed.RoutingKey)
	pending, err := broker.GetPendingTasks("elsewhere")
	require.NoError(t, err)
	require.Equal(t, "b", pending[0].UUID)
}

func TestPublishReportsWhatCannotBeEncoded(t *testing.T) {
	s, _ := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	err := broker.Publish(context.Background(), task("add", "a", tasks.Arg{Type: "float64", Value: math.NaN()}))

	var unsupported *json.UnsupportedValueError
	require.ErrorAs(t, err, &unsupported)
	require.Zero(t, s.queued(t))
}

func TestPublishHeedsItsContext(t *testing.T) {
	s, _ := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, broker.Publish(ctx, task("add", "a")), context.Canceled)
	require.Zero(t, s.queued(t))
}

func TestPendingTasksAreListedAndStay(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := redisadapter.NewBroker(s.cnf, s.client)
		publish(t, broker, task("add", "a"), task("add", "b"))

		pending, err := broker.GetPendingTasks("")
		require.NoError(t, err)
		require.Len(t, pending, 2)
		require.Equal(t, "a", pending[0].UUID)
		require.Equal(t, "b", pending[1].UUID)
		require.Equal(t, 2, s.queued(t))
	})
}

func TestListingReportsAMessageThatIsNoTask(t *testing.T) {
	s, _ := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	require.NoError(t, s.client.RPush(context.Background(), s.cnf.DefaultQueue, "garbage").Err())

	_, err := broker.GetPendingTasks("")
	require.ErrorIs(t, err, redisadapter.ErrNoTask)
}

func TestStopWaitsForRunningTasks(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := redisadapter.NewBroker(s.cnf, s.client)
		broker.SetRegisteredTaskNames([]string{"slow"})
		started, finish := make(chan struct{}), make(chan struct{})
		ended := work(t, broker, 1, &processor{process: func(*tasks.Signature) error {
			close(started)
			<-finish
			return nil
		}})
		publish(t, broker, task("slow", "a"))
		eventually(t, closed(started))

		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			broker.StopConsuming()
		}()
		require.Never(t, closed(stopped), glance, tick)
		require.False(t, closed(ended)())
		close(finish)
		eventually(t, closed(stopped))
		eventually(t, closed(ended))
	})
}

func TestStopDoesNotWaitForTheNextPoll(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		s.cnf.Redis.NormalTasksPollPeriod = int(time.Hour / time.Millisecond)
		s.cnf.Redis.DelayedTasksPollPeriod = int(time.Hour / time.Millisecond)
		broker := redisadapter.NewBroker(s.cnf, s.client)
		broker.SetRegisteredTaskNames([]string{"add"})
		var seen journal
		ended := work(t, broker, 1, &processor{process: seen.add})
		publish(t, broker, task("add", "a"))
		seen.awaitUUIDs(t, "a")

		began := time.Now()
		broker.StopConsuming()
		require.Less(t, time.Since(began), 3*time.Second)
		eventually(t, closed(ended))
	})
}

func TestStopLosesNoTask(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		const sent = 300
		broker := redisadapter.NewBroker(s.cnf, s.client)
		for range sent {
			publish(t, broker, task("add", "a"))
		}
		done := 0
		for done < sent {
			worker := redisadapter.NewBroker(s.cnf, s.client)
			worker.SetRegisteredTaskNames([]string{"add"})
			var seen journal
			ended := work(t, worker, 4, &processor{process: seen.add})
			eventually(t, func() bool { return len(seen.uuids()) > 0 })
			worker.StopConsuming()
			eventually(t, closed(ended))
			done += len(seen.uuids())
			require.Equal(t, sent, done+s.queued(t))
		}
	})
}

func TestStopTwiceAndAtOnceIsSafe(t *testing.T) {
	s, _ := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	ended := work(t, broker, 1, &processor{})
	go broker.StopConsuming()
	broker.StopConsuming()
	broker.StopConsuming()
	eventually(t, closed(ended))
}

func TestStopBeforeStartEndsTheWorkerAtOnce(t *testing.T) {
	s, _ := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	broker.StopConsuming()
	retry, err := broker.StartConsuming("worker", 1, &processor{})
	require.NoError(t, err)
	require.False(t, retry)
}

func TestStopLeavesTheClientOpen(t *testing.T) {
	s, _ := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	broker.StopConsuming()
	publish(t, broker, task("add", "a"))
	require.Equal(t, 1, s.queued(t))
}

func TestStopLeavesNothingBehindThatDoesNotExpire(t *testing.T) {
	s, server := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	broker.SetRegisteredTaskNames([]string{"slow"})
	started, finish := make(chan struct{}), make(chan struct{})
	ended := work(t, broker, 1, &processor{process: func(*tasks.Signature) error {
		close(started)
		<-finish
		return nil
	}})
	publish(t, broker, task("slow", "a"))
	eventually(t, closed(started))
	go broker.StopConsuming()
	close(finish)
	eventually(t, closed(ended))
	for _, key := range server.Keys() {
		require.Positive(t, server.TTL(key), key)
	}
}

func TestStopEndsAllWorkersOfABroker(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := redisadapter.NewBroker(s.cnf, s.client)
		broker.SetRegisteredTaskNames([]string{"add"})
		var common, custom journal
		ended := work(t, broker, 2, &processor{process: common.add})
		endedToo := work(t, broker, 2, &processor{process: custom.add, queue: s.name + ":custom"})

		elsewhere := task("add", "b")
		elsewhere.RoutingKey = s.name + ":custom"
		publish(t, broker, task("add", "a"), elsewhere)
		common.awaitUUIDs(t, "a")
		custom.awaitUUIDs(t, "b")

		broker.StopConsuming()
		eventually(t, closed(ended))
		eventually(t, closed(endedToo))
	})
}

func TestUnreachableRedisIsReportedAfterAPause(t *testing.T) {
	server := miniredis.RunT(t)
	s := newSite(t, &redis.Options{Addr: server.Addr(), MaxRetries: -1})
	server.SetError("LOADING Redis is loading the dataset in memory")
	broker := redisadapter.NewBroker(s.cnf, s.client)

	began := time.Now()
	retry, err := broker.StartConsuming("worker", 1, &processor{})
	require.True(t, retry)
	require.ErrorContains(t, err, "LOADING")
	require.GreaterOrEqual(t, time.Since(began), 100*time.Millisecond)
	server.SetError("")
}

func TestStopInterruptsThePause(t *testing.T) {
	s, server := embedded(t)
	server.Close()
	broker := redisadapter.NewBroker(s.cnf, s.client)
	ended := work(t, broker, 1, &processor{})
	broker.StopConsuming()
	eventually(t, closed(ended))
}
