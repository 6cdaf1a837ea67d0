package redisadapter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func delayed(uuid string, eta time.Time) *tasks.Signature {
	signature := task("add", uuid)
	signature.ETA = &eta
	return signature
}

func TestDelayedTaskWaitsForItsETA(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s)
		eta := time.Now().Add(time.Hour)
		publish(t, broker, delayed("hour", eta))
		require.InDelta(t, eta.UnixNano(), s.delayedScore(t, "hour"), 1000, "scores are floats")
		addDue(t, s, delayed("a", time.Now()))
		var seen journal
		work(t, broker, 1, &processor{Func: seen.Add})
		seen.AwaitInOrder(t, "a")
		waiting, err := broker.GetDelayedTasks()
		require.NoError(t, err)
		require.Len(t, waiting, 1)
		require.Equal(t, "hour", waiting[0].UUID)
	})
}

// The next look without news comes too late.
func TestWorkerHearsOfATaskThatIsDelayedUntilBeforeItsNextLook(t *testing.T) {
	for name, opts := range map[string][]redisadapter.BrokerOption{
		"whoever sends":    nil,
		"own senders only": {redisadapter.WithOwnSendersOnly()},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryTopology(t, func(t *testing.T, s *site) {
				s.cnf.Redis.DelayedTasksPollPeriod = int(time.Hour / time.Millisecond)
				broker := newWorkingBroker(s, opts...)
				var seen journal
				work(t, broker, 1, &processor{Func: seen.Add})
				s.enqueue(t, message("idle"))
				seen.AwaitInOrder(t, "idle")
				publish(t, broker, delayed("later", time.Now().Add(time.Hour)))
				publish(t, broker, delayed("soon", time.Now().Add(glance)))
				seen.AwaitInOrder(t, "idle", "soon")
				publish(t, broker, delayed("again", time.Now().Add(glance)))
				seen.AwaitInOrder(t, "idle", "soon", "again")
			})
		})
	}
}

func TestDueTasksLeaveOldestFirstAndAtOnce(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		const many = 250
		// One poll has to move them all: the next comes too late.
		s.cnf.Redis.DelayedTasksPollPeriod = int(time.Hour / time.Millisecond)
		broker := redisadapter.NewBroker(s.cnf, s.client)
		broker.SetRegisteredTaskNames([]string{"add"})
		start := time.Now().Add(-time.Hour)
		var want []string
		for i := range many {
			want = append(want, fmt.Sprint(i))
			addDue(t, s, delayed(fmt.Sprint(many-1-i), start.Add(time.Duration(many-i)*time.Millisecond)))
		}
		var seen journal
		work(t, broker, 1, &processor{Func: seen.Add})
		seen.AwaitInOrder(t, want...)
	})
}

// addDue puts a task among the delayed ones although its ETA has passed.
func addDue(t *testing.T, s *site, signature *tasks.Signature) {
	t.Helper()
	ctx := context.Background()
	eta := *signature.ETA
	message, err := json.Marshal(signature)
	require.NoError(t, err)
	due := &redis.Z{Score: float64(eta.UnixNano()), Member: message}
	require.NoError(t, s.client.ZAdd(ctx, s.cnf.Redis.DelayedTasksKey, due).Err())
}

func TestDueTaskGoesToItsOwnQueue(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	broker.SetRegisteredTaskNames([]string{"add"})
	custom := delayed("a", time.Now())
	custom.RoutingKey = s.name + ":custom"
	addDue(t, s, custom)
	var seen, customSeen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	work(t, broker, 1, &processor{Func: customSeen.Add, Queue: custom.RoutingKey})
	customSeen.AwaitInOrder(t, "a")
	require.Empty(t, seen.UUIDs())
}

func TestDueTaskRunsOnceWithManyWorkers(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		const many = 150
		s.cnf.Redis.DelayedTasksPollPeriod = 1
		var seen journal
		for range 4 {
			broker := redisadapter.NewBroker(s.cnf, s.client)
			broker.SetRegisteredTaskNames([]string{"add"})
			work(t, broker, 2, &processor{Func: seen.Add})
		}
		broker := redisadapter.NewBroker(s.cnf, s.client)
		for i := range many {
			addDue(t, s, delayed(fmt.Sprint(i), time.Now()))
		}
		eventually(t, func() bool { return seen.Len() >= many })
		require.Never(t, func() bool { return seen.Len() > many }, glance, tick)
		waiting, err := broker.GetDelayedTasks()
		require.NoError(t, err)
		require.Empty(t, waiting)
	})
}

func TestGarbageAmongDelayedTasksIsDropped(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		for i := range 150 {
			garbage := &redis.Z{Score: float64(i), Member: fmt.Sprint("garbage ", i)}
			require.NoError(t, s.client.ZAdd(ctx, s.cnf.Redis.DelayedTasksKey, garbage).Err())
		}
		broker := redisadapter.NewBroker(s.cnf, s.client)
		broker.SetRegisteredTaskNames([]string{"add"})
		addDue(t, s, delayed("a", time.Now()))
		var seen journal
		work(t, broker, 1, &processor{Func: seen.Add})
		seen.AwaitInOrder(t, "a")
		eventually(t, func() bool { return s.client.ZCard(ctx, s.cnf.Redis.DelayedTasksKey).Val() == 0 })
	})
}

// delayedScore is when the delayed task is due, in nanoseconds; 0 where there is none.
func (s *site) delayedScore(t *testing.T, uuid string) int64 {
	t.Helper()
	waiting, err := s.client.ZRangeWithScores(context.Background(), s.cnf.Redis.DelayedTasksKey, 0, -1).Result()
	require.NoError(t, err)
	for _, z := range waiting {
		if strings.Contains(z.Member.(string), `"UUID":"`+uuid+`"`) {
			return int64(z.Score)
		}
	}
	return 0
}

func TestDueTasksOfAWorkerThatDiedMovingThemAreMovedFirstAndInOrder(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		key := s.cnf.Redis.DelayedTasksKey
		addDue(t, s, delayed("later", time.Now().Add(-time.Second)))
		for i, uuid := range []string{"b", "a"} {
			claimed := &redis.Z{Score: float64(i + 1), Member: message(uuid)}
			require.NoError(t, s.client.ZAdd(ctx, "{"+key+"}:claimed", claimed).Err())
		}
		require.NoError(t, s.client.Set(ctx, "{"+key+"}:claim", "dead", 0).Err())
		var seen journal
		work(t, newWorkingBroker(s), 1, &processor{Func: seen.Add})
		require.Never(t, func() bool { return seen.Len() > 0 }, glance, tick, "somebody else may be at it")
		require.NoError(t, s.client.Del(ctx, "{"+key+"}:claim").Err())
		seen.AwaitInOrder(t, "b", "a", "later")
		eventually(t, func() bool {
			return s.client.Exists(ctx, "{"+key+"}:claimed").Val()+s.client.Exists(ctx, "{"+key+"}:claim").Val() == 0
		})
	})
}

func TestIdleWorkerStartsADelayedTaskWhenItIsDue(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		// Were it to wait for its next poll, it would never start.
		s.cnf.Redis.DelayedTasksPollPeriod = int(time.Hour / time.Millisecond)
		broker := newWorkingBroker(s)
		addDue(t, s, delayed("a", time.Now().Add(3*glance)))
		var seen journal
		var early atomic.Bool
		work(t, broker, 1, &processor{Func: func(signature *tasks.Signature) error {
			early.Store(time.Now().Before(*signature.ETA))
			return seen.Add(signature)
		}})
		seen.AwaitInOrder(t, "a")
		require.False(t, early.Load())
	})
}

func TestGarbageAmongDelayedTasksGoesToTheDeadLetters(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		letters := redisadapter.NewDeadLetters(s.client, redisadapter.DeadLettersKey(s.cnf.DefaultQueue))
		garbage := &redis.Z{Score: 1, Member: "garbage\xff"}
		require.NoError(t, s.client.ZAdd(context.Background(), s.cnf.Redis.DelayedTasksKey, garbage).Err())
		work(t, newWorkingBroker(s), 1, &processor{})
		letter := awaitLetters(t, letters, 1)[0]
		require.Equal(t, "garbage\xff", string(letter.Body))
		require.Equal(t, s.cnf.Redis.DelayedTasksKey, letter.Queue)
	})
}

func TestDelayedTaskThatIsTooLongGoesToTheDeadLetters(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	var seen journal
	work(t, newWorkingBroker(s, redisadapter.WithMaxMessage(1000)), 1, &processor{Func: seen.Add})
	long := task("add", "a", tasks.Arg{Type: "string", Value: strings.Repeat("x", 1000)})
	eta := time.Now().Add(glance)
	long.ETA = &eta
	publish(t, newWorkingBroker(s), long)
	letters := redisadapter.NewDeadLetters(s.client, redisadapter.DeadLettersKey(s.cnf.DefaultQueue))
	letter := awaitLetters(t, letters, 1)[0]
	require.Contains(t, letter.Reason, "WithMaxMessage")
	require.Empty(t, seen.UUIDs())
}

func TestClaimThatOutlastsItsExpirySinceTheClockWasSetBackIsNone(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		claim := "{" + s.cnf.Redis.DelayedTasksKey + "}:claim"
		require.NoError(t, s.client.Set(t.Context(), claim, "dead", time.Hour).Err())
		addDue(t, s, delayed("a", time.Now()))
		var seen journal
		work(t, newWorkingBroker(s), 1, &processor{Func: seen.Add})
		seen.AwaitInOrder(t, "a")
	})
}
