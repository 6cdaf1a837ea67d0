package redisadapter_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// queue names one of a site's further queues.
func (s *site) queue(name string) string { return s.cnf.DefaultQueue + "-" + name }

func (s *site) routedTasks(name string, many int) []*tasks.Signature {
	signatures := make([]*tasks.Signature, many)
	for i := range signatures {
		signatures[i] = routed(s.queue(name), fmt.Sprint(name, i))
	}
	return signatures
}

// newPatientBroker takes no worker for dead that a busy machine holds up: its tasks would run twice.
func newPatientBroker(s *site, opts ...redisadapter.BrokerOption) brokersiface.Broker {
	return newWorkingBroker(s, append(opts, redisadapter.WithHeartbeatTimeout(timeout))...)
}

func TestQueuesInOrderAreEmptiedOneAfterTheOther(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		broker := newPatientBroker(s, redisadapter.WithQueues(s.queue("high"), s.cnf.DefaultQueue, s.queue("low")))
		publish(t, broker, s.routedTasks("low", 3)...)
		publish(t, broker, task("add", "middle"))
		publish(t, broker, s.routedTasks("high", 3)...)
		var seen journal
		work(t, broker, 1, &processor{Func: seen.Add})
		seen.AwaitInOrder(t, "high0", "high1", "high2", "middle", "low0", "low1", "low2")
	})
}

func TestNoQueueStarvesThatHasAWeight(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		weights := map[string]int{s.cnf.DefaultQueue: 1, s.queue("heavy"): 3, s.queue("light"): 1}
		broker := newPatientBroker(s, redisadapter.WithQueueWeights(weights))
		publish(t, broker, s.routedTasks("heavy", 60)...)
		publish(t, broker, s.routedTasks("light", 60)...)
		var seen journal
		work(t, broker, 1, &processor{Func: seen.Add})
		eventually(t, func() bool { return seen.Len() == 120 })
		light := 0
		for _, uuid := range seen.UUIDs()[:40] {
			if uuid[:5] == "light" {
				light++
			}
		}
		require.InDelta(t, 10, light, 4, "of the first 40, a quarter")
	})
}

func TestNothingOfSeveralQueuesIsLostOrDoneTwice(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		names := []string{"a", "b", "c", "d"}
		var queues []string
		for _, name := range names {
			queues = append(queues, s.queue(name))
		}
		var seen journal
		for range 3 {
			broker := newPatientBroker(s, redisadapter.WithQueues(queues...), redisadapter.WithPriorities())
			work(t, broker, 2, &processor{Func: seen.Add})
		}
		sender := newPatientBroker(s)
		want := make(map[string]int)
		var sending sync.WaitGroup
		for _, name := range names {
			signatures := s.routedTasks(name, 100)
			for i, signature := range signatures {
				signature.Priority = uint8(i % 11)
				want[signature.UUID] = 1
			}
			sending.Go(func() { publish(t, sender, signatures...) })
		}
		sending.Wait()
		eventually(t, func() bool { return seen.Len() >= len(want) })
		got := make(map[string]int)
		for _, uuid := range seen.UUIDs() {
			got[uuid]++
		}
		require.Equal(t, want, got)
	})
}

func TestWorkerOfACustomQueueTakesFromThatAlone(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := newPatientBroker(s, redisadapter.WithQueues(s.queue("a"), s.queue("b")))
		var seen journal
		work(t, broker, 1, &processor{Func: seen.Add, Queue: s.queue("custom")})
		publish(t, broker, routed(s.queue("a"), "not this"), routed(s.queue("custom"), "this"))
		seen.AwaitInOrder(t, "this")
	})
}

func TestTaskThatFindsNoSlotIsLeftToOtherWorkers(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		busy := newPatientBroker(s, redisadapter.WithQueues(s.cnf.DefaultQueue, s.queue("second")))
		_, release := hold(t, busy, &processor{})
		defer release()
		// The busy worker may still wait for these too.
		publish(t, busy, s.routedTasks("second", 3)...)
		var seen journal
		work(t, newPatientBroker(s), 1, &processor{Func: seen.Add, Queue: s.queue("second")})
		seen.AwaitInOrder(t, "second0", "second1", "second2")
	})
}

func TestPreConsumeHandlerIsNotCalledTwiceAtOnce(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	broker := newPatientBroker(s, redisadapter.WithQueues(s.queue("a"), s.queue("b"), s.queue("c")))
	var seen journal
	calls := 0 // the race detector watches it
	work(t, broker, 2, &processor{Func: seen.Add, Ready: func() bool { calls++; return true }})
	publish(t, broker, routed(s.queue("a"), "a"), routed(s.queue("b"), "b"), routed(s.queue("c"), "c"))
	eventually(t, func() bool { return seen.Len() == 3 })
}

func TestQueuesThatCannotBeMeantAreNamed(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	for want, options := range map[string][]redisadapter.BrokerOption{
		"WithQueues([])":                {redisadapter.WithQueues()},
		`WithQueues([""])`:              {redisadapter.WithQueues("")},
		`WithQueues(["a" "a"])`:         {redisadapter.WithQueues("a", "a")},
		"WithQueueWeights(map[])":       {redisadapter.WithQueueWeights(nil)},
		"WithQueueWeights(map[a:0])":    {redisadapter.WithQueueWeights(map[string]int{"a": 0})},
		"WithQueueWeights(map[a:1001])": {redisadapter.WithQueueWeights(map[string]int{"a": 1001})},
		`WithQueues(["b"])`:             {redisadapter.WithQueueWeights(map[string]int{"a": 1}), redisadapter.WithQueues("b")},
	} {
		err := redisadapter.NewBroker(s.cnf, s.client, options...).Publish(t.Context(), task("add", "a"))
		require.ErrorIs(t, err, redisadapter.ErrConfig)
		require.ErrorContains(t, err, want)
	}
}

// Beside one wait for each queue, an idle worker of several makes no more requests than that of one.
func TestIdleWorkerOfSeveralQueuesOnlyWaits(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	s.cnf.Redis.DelayedTasksPollPeriod = int(time.Hour / time.Millisecond)
	c := &census{counts: make(map[string]int)}
	s.client.(*redis.Client).AddHook(c)
	queues := []string{s.queue("a"), s.queue("b"), s.queue("c")}
	broker := newWorkingBroker(s, redisadapter.WithHeartbeatTimeout(time.Hour), redisadapter.WithQueues(queues...),
		redisadapter.WithPriorities(), redisadapter.WithLogger((&adaptertest.Log{}).Logger()))
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	const waits = 8
	eventually(t, func() bool { return c.count("blmove") >= waits*len(queues) })
	for name, n := range c.all() {
		if name != "blmove" && name != "eval" { // which each script begins with once
			require.Less(t, n, (waits-1)*len(queues), name)
		}
	}
}
