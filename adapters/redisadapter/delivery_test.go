package redisadapter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	miniserver "github.com/alicebob/miniredis/v2/server"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// shortTimeout lets tests wait for dead workers to be noticed.
const shortTimeout = 400 * time.Millisecond

func newWorkingBroker(s *site, opts ...redisadapter.BrokerOption) brokersiface.Broker {
	opts = append([]redisadapter.BrokerOption{redisadapter.WithHeartbeatTimeout(shortTimeout)}, opts...)
	broker := redisadapter.NewBroker(s.cnf, s.client, opts...)
	broker.SetRegisteredTaskNames([]string{"add"})
	return broker
}

// key names a key beside the default queue.
func (s *site) key(suffix string) string { return "{" + s.cnf.DefaultQueue + "}:" + suffix }

func (s *site) list(t *testing.T, key string) []string {
	t.Helper()
	messages, err := s.client.LRange(context.Background(), key, 0, -1).Result()
	require.NoError(t, err)
	return messages
}

// processing returns what the only living consumer holds.
func (s *site) processing(t *testing.T) []string {
	t.Helper()
	return s.list(t, s.key("processing:"+s.consumer(t)))
}

func (s *site) consumer(t *testing.T) string {
	t.Helper()
	consumers, err := s.client.ZRevRange(context.Background(), s.key("consumers"), 0, 0).Result()
	require.NoError(t, err)
	require.Len(t, consumers, 1)
	return consumers[0]
}

func message(uuid string) string {
	return fmt.Sprintf(`{"UUID":%q,"Name":"add"}`, uuid)
}

// dieWith leaves behind what a killed worker does.
func (s *site) dieWith(t *testing.T, consumer string, messages ...string) {
	t.Helper()
	ctx := context.Background()
	for _, m := range messages {
		require.NoError(t, s.client.RPush(ctx, s.key("processing:"+consumer), m).Err())
	}
	require.NoError(t, s.client.ZAdd(ctx, s.key("consumers"), &redis.Z{Score: 1, Member: consumer}).Err())
}

func (s *site) enqueue(t *testing.T, messages ...string) {
	t.Helper()
	for _, m := range messages {
		require.NoError(t, s.client.RPush(context.Background(), s.cnf.DefaultQueue, m).Err())
	}
}

func TestTaskIsHeldInRedisUntilItIsDone(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		l := newLatch(t)
		broker := newWorkingBroker(s)
		work(t, broker, 1, &processor{Func: l.Hold})
		s.enqueue(t, message("a"))
		l.AwaitInOrder(t, "a")
		require.Equal(t, []string{message("a")}, s.processing(t))
		require.Zero(t, s.queued(t))

		l.Release()
		eventually(t, func() bool { return len(s.processing(t)) == 0 })
		require.Zero(t, s.queued(t))
	})
}

func TestTasksOfADeadWorkerRunInTheirOldOrderBeforeAllOthers(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		l := newLatch(t)
		work(t, newWorkingBroker(s), 1, &processor{Func: l.Hold})
		s.enqueue(t, message("first"))
		l.AwaitInOrder(t, "first")
		s.dieWith(t, "dead", message("a"), message("b"), message("c"))
		s.enqueue(t, message("later"))
		eventually(t, func() bool { return s.queued(t) == 4 })
		l.Release()
		l.AwaitInOrder(t, "first", "a", "b", "c", "later")
		eventually(t, func() bool {
			return s.client.Exists(context.Background(), s.key("deliveries")).Val() == 0
		})
	})
}

func TestQueueThatNamesItsSlotKeepsItsTasksToo(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		s.cnf.DefaultQueue = "app:{" + s.name + "}:tasks"
		var seen journal
		work(t, newWorkingBroker(s), 1, &processor{Func: seen.Add})
		ctx := context.Background()
		require.NoError(t, s.client.RPush(ctx, s.cnf.DefaultQueue+":processing:dead", message("a")).Err())
		require.NoError(t, s.client.ZAdd(ctx, s.cnf.DefaultQueue+":consumers", &redis.Z{Score: 1, Member: "dead"}).Err())
		seen.AwaitInOrder(t, "a")
	})
}

func TestBusyWorkerIsNotTakenForDead(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		l := newLatch(t)
		work(t, newWorkingBroker(s), 1, &processor{Func: l.Hold})
		s.enqueue(t, message("a"))
		l.AwaitInOrder(t, "a")
		var others journal
		work(t, newWorkingBroker(s), 1, &processor{Func: others.Add})
		require.Never(t, func() bool { return others.Len() > 0 }, 3*shortTimeout, tick)
		l.Release()
	})
}

func TestWorkersMayDifferInTheirHeartbeatTimeouts(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		l := newLatch(t)
		work(t, newWorkingBroker(s, redisadapter.WithHeartbeatTimeout(time.Hour)), 1, &processor{Func: l.Hold})
		s.enqueue(t, message("a"))
		l.AwaitInOrder(t, "a")
		var others journal
		work(t, newWorkingBroker(s), 1, &processor{Func: others.Add})
		require.Never(t, func() bool { return others.Len() > 0 }, 3*shortTimeout, tick)
		l.Release()
	})
}

// A worker can be paused for so long that another takes over its tasks.
func TestWorkerThatWasTakenForDeadWorksOnAndTakesNothingFromOthers(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		l := newLatch(t)
		work(t, newWorkingBroker(s), 1, &processor{Func: l.Hold})
		s.enqueue(t, message("a"))
		l.AwaitInOrder(t, "a")
		own := s.key("processing:" + s.consumer(t))
		require.NoError(t, s.client.LMove(ctx, own, s.key("processing:other"), "LEFT", "RIGHT").Err())
		require.NoError(t, s.client.Del(ctx, s.key("consumers")).Err())

		l.Release()
		s.enqueue(t, message("b"))
		l.AwaitInOrder(t, "a", "b")
		require.Equal(t, []string{message("a")}, s.list(t, s.key("processing:other")))
		eventually(t, func() bool { return s.client.LLen(ctx, own).Val() == 0 })
		require.NoError(t, s.client.ZScore(ctx, s.key("consumers"), strings.TrimPrefix(own, s.key("processing:"))).Err())
	})
}

func TestTaskWhoseArrivalWentUnnoticedIsRun(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		l := newLatch(t)
		work(t, newWorkingBroker(s), 2, &processor{Func: l.Hold})
		s.enqueue(t, message("a"))
		l.AwaitInOrder(t, "a")
		ctx := context.Background()
		require.NoError(t, s.client.RPush(ctx, s.key("processing:"+s.consumer(t)), message("b"), message("c")).Err())
		l.AwaitInOrder(t, "a", "b")
		l.Release()
		eventually(t, func() bool { return l.Len() == 3 })
		eventually(t, func() bool { return len(s.processing(t)) == 0 })
		require.Len(t, l.UUIDs(), 3)
	})
}

func TestTaskThatKillsItsWorkersGoesToTheDeadLetters(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		letters := redisadapter.NewDeadLetters(s.client, s.name+":letters")
		require.NoError(t, s.client.ZAdd(ctx, s.key("deliveries"), &redis.Z{Score: 2, Member: digest(message("killer"))}).Err())
		s.dieWith(t, "dead", message("innocent"), message("killer"))
		var seen journal
		broker := newWorkingBroker(s, redisadapter.WithMaxAttempts(3), redisadapter.WithDeadLetters(letters))
		work(t, broker, 1, &processor{Func: seen.Add})

		seen.AwaitInOrder(t, "innocent")
		dead := awaitLetters(t, letters, 1)
		require.Equal(t, message("killer"), string(dead[0].Body))
		require.Equal(t, s.cnf.DefaultQueue, dead[0].Queue)
		require.Contains(t, dead[0].Reason, redisadapter.ErrTooManyAttempts.Error())
		eventually(t, func() bool { return len(s.processing(t)) == 0 })
		// A replayed task starts afresh: the count goes just after the message.
		eventually(t, func() bool { return s.client.Exists(ctx, s.key("deliveries")).Val() == 0 })
		require.Equal(t, []string{"innocent"}, seen.UUIDs())
	})
}

func TestCopiesOfAMessageCountAsOneWhenAWorkerDies(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		l := newLatch(t)
		work(t, newWorkingBroker(s, redisadapter.WithMaxAttempts(2)), 3, &processor{Func: l.Hold})
		s.dieWith(t, "dead", message("a"), message("a"), message("a"))
		l.AwaitInOrder(t, "a", "a", "a")
		counted, err := s.client.ZScore(context.Background(), s.key("deliveries"), digest(message("a"))).Result()
		require.NoError(t, err)
		require.Equal(t, 1.0, counted)
		l.Release()
		eventually(t, func() bool { return len(s.processing(t)) == 0 })
	})
}

// Those that have failed least often are forgotten.
func TestFailuresAreCountedOfNoMoreThanTenThousandMessages(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		const most = 10_000
		counted := make([]*redis.Z, most)
		for i := range counted {
			counted[i] = &redis.Z{Score: 2, Member: fmt.Sprint(i)}
		}
		require.NoError(t, s.client.ZAdd(t.Context(), s.key("deliveries"), counted...).Err())
		broker := newWorkingBroker(s)
		work(t, broker, 1, &processor{Func: func(*tasks.Signature) error { return errors.New("no good") }})
		s.enqueue(t, message("a"))
		eventually(t, func() bool { return s.client.ZCard(context.Background(), s.key("deferred")).Val() == 1 })
		require.EqualValues(t, most, s.client.ZCard(t.Context(), s.key("deliveries")).Val())
		require.EqualValues(t, 2, s.client.ZScore(t.Context(), s.key("deliveries"), "0").Val())
	})
}

func TestIsolatedTasksRunOneAtATimeBesideTheOthers(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		for _, isolated := range []string{"s1", "s2"} {
			require.NoError(t, s.client.RPush(ctx, s.key("isolated"), message(isolated)).Err())
			z := &redis.Z{Score: 2, Member: digest(message(isolated))}
			require.NoError(t, s.client.ZAdd(ctx, s.key("deliveries"), z).Err())
		}
		s.enqueue(t, message("a"), message("b"))
		l := newLatch(t)
		work(t, newWorkingBroker(s), 4, &processor{Func: l.Hold})
		eventually(t, func() bool { return l.Len() == 3 })
		require.Never(t, func() bool { return l.Len() > 3 }, glance, tick)
		require.ElementsMatch(t, []string{"s1", "a", "b"}, l.UUIDs())
		l.Release()
		eventually(t, func() bool { return l.Len() == 4 })
	})
}

func TestTaskThatWasNotProcessedToItsEndComesAgainUnaltered(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		var seen journal
		var failed atomic.Bool
		broker := newWorkingBroker(s)
		work(t, broker, 1, &processor{Func: func(signature *tasks.Signature) error {
			before := *signature
			_ = seen.Add(&before)
			signature.Name, signature.Args = "altered", nil
			if failed.CompareAndSwap(false, true) {
				return errors.New("backend down")
			}
			return nil
		}})
		publish(t, broker, task("add", "a", tasks.Arg{Type: "int64", Value: 1}))
		eventually(t, func() bool { return s.client.ZCard(context.Background(), s.key("deferred")).Val() == 1 })
		require.Empty(t, s.processing(t))
		seen.AwaitInOrder(t, "a", "a")
		require.Equal(t, seen.Tasks()[0], seen.Tasks()[1])
	})
}

func TestStopRequeuesWhatWasNotBegun(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		l := newLatch(t)
		broker := newWorkingBroker(s)
		ended := work(t, broker, 1, &processor{Func: l.Hold})
		s.enqueue(t, message("a"))
		l.AwaitInOrder(t, "a")
		own := s.key("processing:" + s.consumer(t))
		s.enqueue(t, message("d"))
		require.NoError(t, s.client.RPush(ctx, own, message("b"), message("c")).Err())
		go broker.StopConsuming()
		// This one returns when the broker has begun to stop.
		_, err := broker.StartConsuming("other", 1, &processor{Queue: s.name + ":other"})
		require.NoError(t, err)
		l.Release()
		await(t, ended)
		require.Equal(t, []string{message("b"), message("c"), message("d")}, s.list(t, s.cnf.DefaultQueue))
		require.Zero(t, s.client.Exists(ctx, own).Val()+s.client.Exists(ctx, s.key("consumers")).Val())
		require.Equal(t, []string{"a"}, l.UUIDs())
	})
}

func TestAWorkerThatMayStillBeGivenAMessageStaysKnown(t *testing.T) {
	t.Parallel()
	for reply, known := range map[string]bool{"lost": true, "there": false} {
		t.Run(reply, func(t *testing.T) {
			s, server := embedded(t)
			broker := newWorkingBroker(s)
			ended := work(t, broker, 1, &processor{})
			consumers := "{" + s.cnf.DefaultQueue + "}:consumers"
			eventually(t, func() bool { return server.Exists(consumers) })
			if known {
				var refused atomic.Int32
				server.Server().SetPreHook(func(peer *miniserver.Peer, command string, _ ...string) bool {
					if command != "BLMOVE" && command != "LRANGE" {
						return false
					}
					refused.Add(1)
					peer.WriteError("ERR lost")
					return true
				})
				eventually(t, func() bool { return refused.Load() > 1 })
			}
			broker.StopConsuming()
			await(t, ended)
			require.Equal(t, known, server.Exists(consumers))
		})
	}
}

// What goes wrong with the delayed tasks is no reason to keep others waiting.
func TestFailedTaskComesAgainThoughDelayedTasksCannotBeRead(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		require.NoError(t, s.client.Set(t.Context(), s.cnf.Redis.DelayedTasksKey, "no sorted set", 0).Err())
		broker := newWorkingBroker(s, redisadapter.WithBackoff(time.Millisecond, time.Millisecond))
		var seen journal
		work(t, broker, 1, &processor{Func: func(signature *tasks.Signature) error {
			if _ = seen.Add(signature); seen.Len() == 1 {
				return errors.New("no good")
			}
			return nil
		}})
		s.enqueue(t, message("a"))
		seen.AwaitInOrder(t, "a", "a")
	})
}
