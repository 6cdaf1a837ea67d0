package redisadapter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func prioritized(uuid string, priority uint8) *tasks.Signature {
	s := task("add", uuid)
	s.Priority = priority
	return s
}

// hold has a worker begin the task "held", and returns the journal, and what lets it go on.
func hold(t *testing.T, broker brokersiface.Broker, p *processor) (*adaptertest.Latch, func()) {
	t.Helper()
	latch := newLatch(t)
	p.Func = latch.Hold
	work(t, broker, 1, p)
	publish(t, broker, task("add", "held"))
	latch.Await(t, "held")
	return latch, latch.Release
}

func TestTasksOfHighPriorityAreTakenFirst(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s, redisadapter.WithPriorities())
		seen, release := hold(t, broker, &processor{})
		publish(t, broker, prioritized("five", 5), prioritized("one", 1), prioritized("nine", 9), prioritized("none", 0),
			prioritized("more", 200), prioritized("five too", 5), prioritized("none too", 0))
		release()
		seen.AwaitInOrder(t, "held", "nine", "more", "five", "five too", "one", "none", "none too")
	})
}

func TestPrioritiesHoldAfterALargeMessage(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s, redisadapter.WithPriorities())
		var seen journal
		first := newLatch(t)
		work(t, broker, 1, &processor{Func: func(signature *tasks.Signature) error {
			if signature.UUID == "first" {
				return errors.Join(seen.Add(signature), first.Hold(signature))
			}
			return seen.Add(signature)
		}})
		publish(t, broker, largeTask("first", largeBytes))
		first.Await(t, "first")
		publish(t, broker, largeTask("none", largeBytes), largeTask("none too", largeBytes), prioritized("nine", 9))
		first.Release()
		seen.AwaitInOrder(t, "first", "nine", "none", "none too")
	})
}

func TestSendersHeedThePrioritiesOfAQueueWithoutTheOption(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		seen, release := hold(t, newWorkingBroker(s, redisadapter.WithPriorities()), &processor{})
		publish(t, newWorkingBroker(s), prioritized("none", 0), prioritized("nine", 9))
		release()
		seen.AwaitInOrder(t, "held", "nine", "none")
	})
}

func TestPriorityIsIgnoredInOtherQueues(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s)
		publish(t, broker, prioritized("none", 0), prioritized("nine", 9))
		require.Equal(t, 2, s.queued(t))
		var seen journal
		work(t, broker, 1, &processor{Func: seen.Add})
		seen.AwaitInOrder(t, "none", "nine")
	})
}

func TestWorkerWithoutTheOptionEmptiesAQueueWithPriorities(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s, redisadapter.WithPriorities())
		var ready atomic.Bool
		ready.Store(true)
		seen, release := hold(t, broker, &processor{Ready: ready.Load})
		publish(t, broker, prioritized("none", 0), prioritized("nine", 9))
		// The worker takes none of them: it is kept from it until it has stopped.
		stopped := make(chan struct{})
		go func() { defer close(stopped); broker.StopConsuming() }()
		ready.Store(false)
		release()
		<-stopped
		require.Equal(t, 1, seen.Len())
		var rest journal
		work(t, newWorkingBroker(s), 1, &processor{Func: rest.Add})
		rest.AwaitInOrder(t, "nine", "none")
	})
}

func TestDelayedTasksAndReplayedLettersKeepTheirPriority(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		letters := newLetters(s, redisadapter.WithReplayQueues(s.cnf.DefaultQueue))
		broker := newWorkingBroker(s, redisadapter.WithPriorities(), redisadapter.WithDeadLetters(letters))
		seen, release := hold(t, broker, &processor{})
		publish(t, broker, prioritized("none", 0))
		late := prioritized("delayed", 5)
		eta := time.Now().Add(glance)
		late.ETA = &eta
		publish(t, broker, late)
		again := prioritized("replayed", 9)
		again.RoutingKey = s.cnf.DefaultQueue
		push(t, letters, again)
		_, err := letters.ReplayAll(t.Context())
		require.NoError(t, err)
		eventually(t, func() bool {
			n, err := s.client.LLen(t.Context(), "{"+s.cnf.DefaultQueue+"}:priority:5").Result()
			return err == nil && n == 1
		})
		release()
		seen.AwaitInOrder(t, "held", "replayed", "delayed", "none")
	})
}

func TestTasksThatComeAgainAfterAnErrorKeepTheirPriority(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s, redisadapter.WithPriorities())
		_, release := hold(t, broker, &processor{})
		publish(t, broker, prioritized("none", 0))
		body, err := json.Marshal(prioritized("again", 7))
		require.NoError(t, err)
		deferred := &redis.Z{Score: 1, Member: "label:" + string(body)}
		require.NoError(t, s.client.ZAdd(t.Context(), "{"+s.cnf.DefaultQueue+"}:deferred", deferred).Err())
		eventually(t, func() bool {
			n, err := s.client.LLen(t.Context(), "{"+s.cnf.DefaultQueue+"}:priority:7").Result()
			return err == nil && n == 1
		})
		release()
	})
}

func TestTaskThatNoWorkerKnowsDoesNotKeepThoseOfLowerPriorityWaiting(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s, redisadapter.WithPriorities())
		seen, release := hold(t, broker, &processor{})
		strange := prioritized("strange", 9)
		strange.Name = "of others"
		publish(t, broker, prioritized("none", 0), strange)
		release()
		seen.AwaitInOrder(t, "held", "none")
		broker.StopConsuming()
		require.Equal(t, 1, s.queued(t))
	})
}

func TestIdleWorkersAreWokenByTasksOfAnyPriority(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s, redisadapter.WithPriorities())
		var seen journal
		for range 3 {
			work(t, broker, 1, &processor{Func: seen.Add})
		}
		for i := range 200 {
			publish(t, broker, prioritized(fmt.Sprint(i), uint8(i%10)))
		}
		eventually(t, func() bool { return len(distinct(&seen)) == 200 })
	})
}
