package redisadapter_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func TestStopDoesNotWaitForTheNextPoll(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		s.cnf.Redis.NormalTasksPollPeriod = int(time.Hour / time.Millisecond)
		s.cnf.Redis.DelayedTasksPollPeriod = int(time.Hour / time.Millisecond)
		broker := newWorkingBroker(s)
		var seen journal
		ended := work(t, broker, 1, &processor{Func: seen.Add})
		publish(t, broker, task("add", "a"))
		seen.AwaitInOrder(t, "a")
		go broker.StopConsuming()
		await(t, ended)
	})
}

func TestCloseLeavesTheClientOpen(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	require.NoError(t, redisadapter.NewBroker(s.cnf, s.client).(io.Closer).Close())
	require.NoError(t, s.client.Ping(t.Context()).Err())
}

// Only the names of the queues stay, and how much was done of each, for those who look at them.
func TestStopLeavesNothingBehindThatDoesNotExpire(t *testing.T) {
	t.Parallel()
	s, server := embedded(t)
	broker := newWorkingBroker(s)
	l := newLatch(t)
	ended := work(t, broker, 1, &processor{Func: l.Hold})
	publish(t, broker, task("add", "a"))
	l.AwaitInOrder(t, "a")
	go broker.StopConsuming()
	l.Release()
	await(t, ended)
	for _, key := range server.Keys() {
		if key != "{"+s.cnf.Redis.DelayedTasksKey+"}:queues" && key != s.key("done") {
			require.Positive(t, server.TTL(key), key)
		}
	}
}

// starting is a client of a Redis that never gets done with starting. It sends nothing, so that time may be synthetic.
func starting(t *testing.T) (redis.UniversalClient, *int) {
	asked := 0
	client := redis.NewClient(&redis.Options{MaxRetries: -1, IdleCheckFrequency: -1})
	client.AddHook(startingHook{&asked})
	t.Cleanup(func() { _ = client.Close() })
	return client, &asked
}

type startingHook struct{ asked *int }

// loading is what Redis says while it starts.
type loading struct{}

func (loading) Error() string { return "LOADING Redis is loading the dataset in memory" }
func (loading) RedisError()   {}

func (h startingHook) BeforeProcess(ctx context.Context, _ redis.Cmder) (context.Context, error) {
	*h.asked++
	return ctx, loading{}
}

func (h startingHook) BeforeProcessPipeline(ctx context.Context, _ []redis.Cmder) (context.Context, error) {
	*h.asked++
	return ctx, loading{}
}

func (startingHook) AfterProcess(context.Context, redis.Cmder) error { return nil }

func (startingHook) AfterProcessPipeline(context.Context, []redis.Cmder) error { return nil }

func TestUnreachableRedisIsReportedAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := starting(t)
		began := time.Now()
		retry, err := redisadapter.NewBroker(newConfig(), client).StartConsuming("worker", 1, &processor{})
		require.True(t, retry)
		require.ErrorContains(t, err, "LOADING")
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestPublishTriesAgainForAsLongAsItsTimeout(t *testing.T) {
	for timeout, options := range map[time.Duration][]redisadapter.BrokerOption{
		30 * time.Second: nil,
		time.Minute:      {redisadapter.WithPublishTimeout(time.Minute)},
		time.Nanosecond:  {redisadapter.WithPublishTimeout(time.Nanosecond)},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, asked := starting(t)
			began := time.Now()
			err := redisadapter.NewBroker(newConfig(), client, options...).Publish(t.Context(), task("add", "a"))
			require.ErrorContains(t, err, "LOADING")
			require.InDelta(t, timeout, time.Since(began), float64(time.Second))
			require.Equal(t, timeout > time.Second, *asked > 1)
		})
	}
}

func TestPublishEndsWithItsContextDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := starting(t)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		require.Error(t, redisadapter.NewBroker(newConfig(), client).Publish(ctx, task("add", "a")))
		require.Equal(t, 5*time.Second, time.Since(began))
	})
}

// Redis 6.2 puts the error of a command in a script at the end of one of the script.
func TestReplicaThatRefusesAScriptIsWaitedOut(t *testing.T) {
	t.Parallel()
	s, server := embedded(t)
	server.SetError("ERR Error running script (call to f_a): @user_script:2: @user_script: 2: -READONLY You can't write against a read only replica.")
	broker := newWorkingBroker(s)
	sent := make(chan error, 1)
	go func() { sent <- broker.Publish(t.Context(), delayed("a", time.Now().Add(time.Hour))) }()
	require.Never(t, func() bool { return len(sent) > 0 }, glance, tick)
	server.SetError("")
	require.NoError(t, <-sent)
}
