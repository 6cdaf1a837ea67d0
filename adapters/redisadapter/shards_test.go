package redisadapter_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// numberedTasks returns so many tasks for the default queue.
func numberedTasks(many int) []*tasks.Signature {
	signatures := make([]*tasks.Signature, many)
	for i := range signatures {
		signatures[i] = task("add", fmt.Sprint("u", i))
	}
	return signatures
}

// waitingIn returns how many tasks wait in each of the default queue's lists.
func (s *site) waitingIn(t *testing.T, shards int) []int {
	t.Helper()
	var waiting []int
	for _, list := range redisadapter.ShardNames(s.cnf.DefaultQueue, shards) {
		waiting = append(waiting, len(s.list(t, list)))
	}
	return waiting
}

func TestTasksOfAShardedQueueLieOnAllMastersAndAreDoneOnce(t *testing.T) {
	t.Parallel()
	s := newSiteOn(t, "test-"+rand.Text(), newClusterClient(t))
	const shards = 4
	sender := newPatientBroker(s, redisadapter.WithShards(shards))
	sent := numberedTasks(200)
	later := time.Now().Add(100 * time.Millisecond)
	for i, signature := range sent {
		signature.Priority = uint8(i % 3)
		if i >= 150 {
			signature.ETA = &later
		}
	}
	publish(t, sender, sent...)
	masters := make(map[string]int)
	for i, n := range s.waitingIn(t, shards) {
		list := redisadapter.ShardNames(s.cnf.DefaultQueue, shards)[i]
		master, err := s.client.(*redis.ClusterClient).MasterForKey(context.Background(), list)
		require.NoError(t, err)
		masters[master.Options().Addr] += n
	}
	require.Len(t, masters, 3)
	for master, n := range masters {
		require.Positive(t, n, master)
	}

	var seen journal
	for range 2 {
		broker := newPatientBroker(s, redisadapter.WithShards(shards), redisadapter.WithPriorities())
		work(t, broker, 3, &processor{Func: seen.Add})
	}
	seen.Await(t, uuidsOf(sent)...)
	require.Equal(t, make([]int, shards), s.waitingIn(t, shards))
}

func TestTaskOfAShardThatFailedComesAgain(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		opts := []redisadapter.BrokerOption{
			redisadapter.WithShards(4), redisadapter.WithMaxAttempts(2), redisadapter.WithBackoff(tick, tick),
		}
		broker := newPatientBroker(s, opts...)
		sent := numberedTasks(40)
		var seen journal
		work(t, broker, 3, &processor{Func: func(signature *tasks.Signature) error {
			_ = seen.Add(signature)
			return fmt.Errorf("no good")
		}})
		publish(t, broker, sent...)
		eventually(t, func() bool { return seen.Len() >= 2*len(sent) })
		require.Len(t, distinct(&seen), len(sent))

		// Their letters are those of the queue.
		letters := redisadapter.NewDeadLetters(s.client, redisadapter.DeadLettersKey(s.cnf.DefaultQueue))
		eventually(t, func() bool { n, err := letters.Count(t.Context()); return err == nil && n == len(sent) })
		for letter, err := range letters.All(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, s.cnf.DefaultQueue, letter.Queue)
		}
		broker.StopConsuming()
		replayed, err := letters.ReplayAll(t.Context())
		require.NoError(t, err)
		require.Equal(t, len(sent), replayed)
		var again journal
		work(t, newPatientBroker(s, opts...), 3, &processor{Func: again.Add})
		again.Await(t, uuidsOf(sent)...)
	})
}

func TestTasksOfAWorkerThatDiedComeBackToTheirShard(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		var want []*tasks.Signature
		for i, shard := range redisadapter.ShardNames(s.cnf.DefaultQueue, 4) {
			uuid, beside := fmt.Sprint("u", i), shard+":"
			if i == 0 {
				beside = s.key("")
			}
			want = append(want, task("add", uuid))
			require.NoError(t, s.client.RPush(t.Context(), beside+"processing:dead", message(uuid)).Err())
			require.NoError(t, s.client.ZAdd(t.Context(), beside+"consumers", &redis.Z{Score: 1, Member: "dead"}).Err())
		}
		var seen journal
		work(t, newWorkingBroker(s, redisadapter.WithShards(4)), 1, &processor{Func: seen.Add})
		eventually(t, func() bool { return len(distinct(&seen)) == len(want) })
	})
}

func TestQueueWithMoreShardsGetsNoMoreOfTheSlots(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	weights := map[string]int{s.cnf.DefaultQueue: 1, s.queue("second"): 1}
	broker := newPatientBroker(s, redisadapter.WithQueueWeights(weights), redisadapter.WithShards(4))
	const each, looked = 60, 40
	publish(t, broker, numberedTasks(each)...)
	publish(t, broker, s.routedTasks("second", each)...)
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	eventually(t, func() bool { return seen.Len() == 2*each })
	sharded := 0
	for _, uuid := range seen.UUIDs()[:looked] {
		if uuid[0] == 'u' {
			sharded++
		}
	}
	require.InDelta(t, looked/2, sharded, 8)
}

func TestShardsOfAQueueComeBeforeTheNextQueue(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	queues := redisadapter.WithQueues(s.cnf.DefaultQueue, s.queue("second"))
	broker := newPatientBroker(s, queues, redisadapter.WithShards(3, s.cnf.DefaultQueue, s.queue("second")))
	publish(t, broker, s.routedTasks("second", 60)...)
	publish(t, broker, numberedTasks(60)...)
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	eventually(t, func() bool { return seen.Len() == 120 })
	for _, uuid := range seen.UUIDs()[:60] {
		require.Equal(t, byte('u'), uuid[0], "%v", seen.UUIDs())
	}
}

// changeShards has the number of shards of a fleet change: steps are the options of senders and of workers.
func changeShards(t *testing.T, s *site, steps ...[2][]redisadapter.BrokerOption) {
	var seen journal
	var want []*tasks.Signature
	var sender, worker brokersiface.Broker
	for i, step := range steps {
		sender = newPatientBroker(s, step[0]...)
		for j := range 40 {
			signature := task("add", fmt.Sprint(i, "-", j))
			if j >= 30 {
				later := time.Now().Add(50 * time.Millisecond)
				signature.ETA = &later
			}
			publish(t, sender, signature)
			want = append(want, signature)
		}
		former := worker
		worker = newPatientBroker(s, step[1]...)
		work(t, worker, 2, &processor{Func: seen.Add})
		eventually(t, func() bool { return seen.Len() >= len(want)-20 })
		if former != nil {
			former.StopConsuming()
		}
	}
	seen.Await(t, uuidsOf(want)...)
}

func TestNumberOfShardsMayChange(t *testing.T) {
	one := []redisadapter.BrokerOption{}
	four := []redisadapter.BrokerOption{redisadapter.WithShards(4)}
	draining := []redisadapter.BrokerOption{redisadapter.WithShards(1), redisadapter.WithDrainedShards(4)}
	onEveryTopology(t, func(t *testing.T, s *site) {
		changeShards(t, s, [2][]redisadapter.BrokerOption{one, one}, [2][]redisadapter.BrokerOption{one, four},
			[2][]redisadapter.BrokerOption{four, four}, [2][]redisadapter.BrokerOption{four, draining},
			[2][]redisadapter.BrokerOption{draining, draining}, [2][]redisadapter.BrokerOption{one, one})
	})
}

func TestSourceShowsAShardedQueueAsOne(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		broker := newPatientBroker(s, redisadapter.WithShards(4))
		l := newLatch(t)
		ended := work(t, broker, 4, &processor{Func: l.Hold})
		publish(t, broker, numberedTasks(4)...)
		eventually(t, func() bool { return l.Len() == 4 })
		publish(t, broker, numberedTasks(54)[4:]...)

		// What workers have noted tells it of the shards.
		source := redisadapter.NewSource(s.cnf, s.client)
		// A worker that waited for a task puts it back when it finds all its slots taken.
		eventually(t, func() bool {
			queues, err := source.Queues(t.Context())
			if err != nil || len(queues) != 1 {
				return false
			}
			q := queues[0]
			return q.Name == s.cnf.DefaultQueue && q.Waiting == 50 && q.Running == 4 && q.Workers == 1
		})
		assert.ElementsMatch(t, uuidsOf(numberedTasks(54)[4:]), listOf(t, s, source, inspect.Waiting))
		assert.ElementsMatch(t, uuidsOf(numberedTasks(4)), listOf(t, s, source, inspect.Running))
		pending, err := broker.GetPendingTasks("")
		require.NoError(t, err)
		assert.ElementsMatch(t, uuidsOf(numberedTasks(54)[4:]), uuidsOf(pending))
		workers, err := source.Workers(t.Context())
		require.NoError(t, err)
		require.Len(t, workers, 1)
		assert.Equal(t, []string{s.cnf.DefaultQueue}, workers[0].Queues)
		assert.Len(t, workers[0].Running, 4)
		for i := 4; i < 54; i++ {
			found, err := source.Task(t.Context(), fmt.Sprint("u", i))
			require.NoError(t, err)
			assert.Equal(t, s.cnf.DefaultQueue, found.Queue)
		}
		for _, shard := range redisadapter.ShardNames(s.cnf.DefaultQueue, 4)[1:] {
			_, err := source.Tasks(t.Context(), shard, inspect.Waiting, inspect.Page{})
			assert.ErrorIs(t, err, inspect.ErrNotFound)
			_, err = source.DeadLetters(shard)
			assert.ErrorIs(t, err, inspect.ErrNotFound)
		}

		require.NoError(t, source.Pause(t.Context(), s.cnf.DefaultQueue))
		require.NoError(t, source.Delete(t.Context(), "u4"))
		l.Release()
		eventually(t, func() bool {
			return len(listOf(t, s, source, inspect.Running)) == 0 && sum(s.waitingIn(t, 4)) == 49
		})
		require.NoError(t, source.Resume(t.Context(), s.cnf.DefaultQueue))
		eventually(t, func() bool { return l.Len() == 53 })
		broker.StopConsuming()
		<-ended
	})
}

func sum(numbers []int) int {
	all := 0
	for _, n := range numbers {
		all += n
	}
	return all
}

func TestSourceThatIsToldOfShardsNeedsNoWorker(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	publish(t, newPatientBroker(s, redisadapter.WithShards(4, s.queue("second"))), s.routedTasks("second", 40)...)
	source := redisadapter.NewSource(s.cnf, s.client, inspect.WithQueues(redisadapter.ShardNames(s.queue("second"), 4)...))
	queues, err := source.Queues(t.Context())
	require.NoError(t, err)
	i := slices.IndexFunc(queues, func(q inspect.Queue) bool { return q.Name == s.queue("second") })
	require.Equal(t, 40, queues[i].Waiting)
	_, err = source.DeadLetters(s.queue("second"))
	require.NoError(t, err)
}

func TestDueTasksAreSpreadOverShards(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	broker := newPatientBroker(s, redisadapter.WithShards(4))
	sent, soon := numberedTasks(100), time.Now().Add(50*time.Millisecond)
	for _, signature := range sent {
		signature.ETA = &soon
	}
	publish(t, broker, sent...)
	source := redisadapter.NewSource(s.cnf, s.client, inspect.WithQueues(redisadapter.ShardNames(s.cnf.DefaultQueue, 4)...))
	require.NoError(t, source.Pause(t.Context(), s.cnf.DefaultQueue))
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	eventually(t, func() bool { return sum(s.waitingIn(t, 4)) == len(sent) })
	for _, n := range s.waitingIn(t, 4) {
		require.Positive(t, n)
	}
	require.NoError(t, source.Resume(t.Context(), s.cnf.DefaultQueue))
	seen.Await(t, uuidsOf(sent)...)
}

func TestLogNamesTheQueueOfAShard(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	var log adaptertest.Log
	broker := newPatientBroker(s, redisadapter.WithShards(4), redisadapter.WithLogger(log.Logger()))
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	publish(t, broker, numberedTasks(20)...)
	seen.Await(t, uuidsOf(numberedTasks(20))...)
	require.Len(t, log.Lines("waiting for tasks", "queue="+s.cnf.DefaultQueue), 1)
}

func TestShardsThatCannotBeMeantAreNamed(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	for want, options := range map[string][]redisadapter.BrokerOption{
		"WithShards(0)":         {redisadapter.WithShards(0)},
		"WithShards(65)":        {redisadapter.WithShards(65)},
		"WithShards(3)":         {redisadapter.WithShards(2), redisadapter.WithShards(3)},
		"WithDrainedShards(-1)": {redisadapter.WithDrainedShards(-1, "a")},
		s.cnf.DefaultQueue:      {redisadapter.WithShards(2), redisadapter.WithShards(3, s.cnf.DefaultQueue)},
	} {
		err := redisadapter.NewBroker(s.cnf, s.client, options...).Publish(t.Context(), task("add", "a"))
		require.ErrorIs(t, err, redisadapter.ErrConfig)
		require.ErrorContains(t, err, want)
	}
}

// Senders do not split a queue before its workers do.
func TestQueueOfWhichOneShardHasTasksGetsItsSlots(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	weights := map[string]int{s.cnf.DefaultQueue: 1, s.queue("second"): 1}
	broker := newPatientBroker(s, redisadapter.WithQueueWeights(weights), redisadapter.WithShards(8))
	const each = 40
	publish(t, newPatientBroker(s), numberedTasks(each)...)
	publish(t, broker, s.routedTasks("second", each)...)
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	eventually(t, func() bool { return seen.Len() == 2*each })
	sharded := 0
	for _, uuid := range seen.UUIDs()[:each] {
		if uuid[0] == 'u' {
			sharded++
		}
	}
	require.InDelta(t, each/2, sharded, 8)
}

// A queue is paused before the workers come that split it.
func TestShardsThatAreNewToAPausedQueueArePaused(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		var seen journal
		work(t, newPatientBroker(s), 1, &processor{Func: seen.Add})
		publish(t, newPatientBroker(s), task("add", "before"))
		seen.AwaitInOrder(t, "before")
		source := redisadapter.NewSource(s.cnf, s.client)
		require.NoError(t, source.Pause(t.Context(), s.cnf.DefaultQueue))

		sharded := newPatientBroker(s, redisadapter.WithShards(4))
		var log adaptertest.Log
		ready := newPatientBroker(s, redisadapter.WithShards(4), redisadapter.WithLogger(log.Logger()))
		work(t, ready, 4, &processor{Func: seen.Add})
		eventually(t, func() bool { return len(log.Lines("waiting for tasks")) == 1 })
		publish(t, sharded, numberedTasks(40)...)
		queues, err := source.Queues(t.Context())
		require.NoError(t, err)
		require.True(t, queues[0].Paused)
		for _, shard := range redisadapter.ShardNames(s.cnf.DefaultQueue, 4)[1:] {
			require.NotEmpty(t, s.list(t, shard))
		}
		require.Equal(t, []string{"before"}, seen.UUIDs())
		require.NoError(t, source.Resume(t.Context(), s.cnf.DefaultQueue))
		eventually(t, func() bool { return seen.Len() == 41 })
	})
}
