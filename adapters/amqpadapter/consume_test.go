package amqpadapter_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// quickly makes attempts follow each other at once.
var quickly = amqpadapter.WithBackoff(time.Millisecond, time.Millisecond)

func TestUnreachableRabbitMQIsReportedAfterAGrowingPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broker := newBroker(t, offline())
		for _, pause := range []time.Duration{50, 100, 200} {
			began := time.Now()
			retry, err := broker.StartConsuming("worker", 1, &processor{})
			require.True(t, retry)
			require.ErrorContains(t, err, "connect to rabbitmq")
			require.InDelta(t, pause*time.Millisecond, time.Since(began), float64(pause*time.Millisecond/2+time.Millisecond))
		}
	})
}

func TestPrefetchCountBoundsAnUnboundedWorker(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	var running atomic.Int32
	finish := make(chan struct{})
	defer close(finish)
	work(t, broker, 0, &processor{Func: func(*tasks.Signature) error {
		running.Add(1)
		<-finish
		return nil
	}})
	for i := range 10 {
		publish(t, broker, task("slow", fmt.Sprint(i)))
	}
	eventually(t, func() bool { return running.Load() >= 3 && waiting(t, cnf, cnf.DefaultQueue) == 7 })
	require.Equal(t, int32(3), running.Load())
}

func TestPriorTasksComeFirst(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	cnf.AMQP.QueueDeclareArgs, cnf.AMQP.PrefetchCount = config.QueueDeclareArgs{"x-max-priority": 10}, 1
	broker := newBroker(t, cnf)
	low, high, later := task("add", "low"), task("add", "high"), delayed("later", 50*time.Millisecond)
	high.Priority, later.Priority = 5, 9
	publish(t, broker, low, high, later)
	eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue) == 3 })
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	seen.Await(t, "low", "high", "later")
	require.Equal(t, []string{"later", "high", "low"}, seen.UUIDs())
}

func TestWorkerOfACustomQueueGetsOnlyItsOwnTasks(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	// Machinery's worker of the queue has left its binding.
	channel := dial(t, cnf.Broker)
	require.NoError(t, channel.ExchangeDeclare(cnf.AMQP.Exchange, "direct", true, false, false, false, nil))
	_, err := channel.QueueDeclare(customQueueOf(cnf), true, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, channel.QueueBind(customQueueOf(cnf), cnf.AMQP.BindingKey, cnf.AMQP.Exchange, false, nil))

	broker := newBroker(t, cnf)
	var common, custom journal
	ended := work(t, broker, 2, &processor{Func: common.Add})
	endedToo := work(t, broker, 2, &processor{Func: custom.Add, Queue: customQueueOf(cnf)})
	eventually(t, func() bool { return consumersOf(t, cnf, customQueueOf(cnf)) == 1 })
	elsewhere := task("add", "b")
	elsewhere.RoutingKey = customQueueOf(cnf)
	publish(t, broker, task("add", "a"), elsewhere, delayed("c", time.Millisecond))
	common.Await(t, "a", "c")
	// What had come to the custom queue too would be seen before this.
	last := task("add", "d")
	last.RoutingKey = customQueueOf(cnf)
	publish(t, broker, last)
	custom.Await(t, "b", "d")

	broker.StopConsuming()
	adaptertest.Await(t, ended)
	adaptertest.Await(t, endedToo)
}

func consumersOf(t *testing.T, cnf *config.Config, queue string) int {
	found, _ := declared(t, cnf, queue)
	return found.Consumers
}

func TestUnknownTasksDoNotSpin(t *testing.T) {
	t.Parallel()
	var logs adaptertest.Log
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf, amqpadapter.WithLogger(logs.Logger()))
	// A queue of the test's own gets a copy each time the task comes round.
	publish(t, broker, delayed("first", time.Millisecond)) // declares the exchange
	tap := dial(t, cnf.Broker)
	copies, err := tap.QueueDeclare("", false, true, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, tap.QueueBind(copies.Name, "", "machinery.delayed.due", false, amqp.Table{
		"x-match": "all", "machinery-delay-queue": cnf.DefaultQueue,
	}))
	seen := func() int {
		found, err := tap.QueueDeclarePassive(copies.Name, false, true, true, false, nil)
		require.NoError(t, err)
		return found.Messages
	}
	work(t, broker, 1, &processor{Func: func(*tasks.Signature) error { return nil }})
	publish(t, broker, task("rare", "a"))
	eventually(t, func() bool { return seen() >= 2 })
	broker.StopConsuming()
	for times, least := range []int{25, 50} {
		d, _, err := tap.Get(copies.Name, true)
		require.NoError(t, err)
		require.EqualValues(t, times+1, d.Headers[amqpadapter.UnregisteredHeader])
		require.GreaterOrEqual(t, pauseOf(d), least, "milliseconds")
	}
	require.Equal(t, 1, logs.Count("not registered"))
}

// pauseOf returns the milliseconds for which a message has waited, one header for each power of two.
func pauseOf(d amqp.Delivery) (sum int) {
	for level := range 32 {
		if d.Headers[fmt.Sprint("machinery-delay-", level)] == true {
			sum += 1 << level
		}
	}
	return sum
}

// Other clients may send headers that fill a frame, which leaves no room for ours.
func TestHeadersThatLeaveNoRoomHoldUpNoWorker(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`[1]`, `{"Name":"unknown"}`} {
		cnf := rabbitMQ(t)
		broker := newBroker(t, cnf, quickly)
		publish(t, broker, task("add", "before"))
		require.NoError(t, dial(t, cnf.Broker).Publish("", cnf.DefaultQueue, false, false, amqp.Publishing{
			Headers: amqp.Table{"large": strings.Repeat("x", 128_000)}, Body: []byte(body),
		}))
		eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue) == 2 })
		var seen journal
		work(t, broker, 1, &processor{Func: seen.Add})
		eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue+".dead") == 1 })
		publish(t, broker, task("add", "after"))
		seen.Await(t, "before", "after")
		d, _, err := dial(t, cnf.Broker).Get(cnf.DefaultQueue+".dead", true)
		require.NoError(t, err)
		require.Equal(t, body, string(d.Body))
	}
}

// Each worker is lost with its connection while it has the task; the task itself never ends.
func TestTaskThatKillsWorkersEndsInTheDeadLetters(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	publish(t, newBroker(t, cnf), task("slow", "poison"), task("add", "innocent"))
	var seen journal
	finish := make(chan struct{})
	release := sync.OnceFunc(func() { close(finish) })
	// A connection lost while the task was moved has doubled it: both may be dead at the same moment.
	isDead := func() bool { return waiting(t, cnf, cnf.DefaultQueue+".dead") > 0 }
	kills := 0
	for ; !isDead(); kills++ {
		network := proxy(t, cnf)
		killed := make(chan struct{}, 1)
		broker := newBroker(t, network.cnf, quickly, amqpadapter.WithMaxAttempts(4))
		work(t, broker, 0, &processor{Func: func(s *tasks.Signature) error {
			if s.Name == "add" {
				return seen.Add(s)
			}
			select {
			case killed <- struct{}{}:
			default: // it is another copy
			}
			<-finish
			return nil
		}})
		t.Cleanup(release) // before the broker waits for the task
		eventually(t, func() bool { return len(killed) > 0 || isDead() })
		network.Interrupt()
	}
	work(t, newBroker(t, cnf), 1, &processor{Func: seen.Add})
	eventually(t, func() bool { return len(seen.UUIDs()) > 0 })
	release()
	d, _, err := dial(t, cnf.Broker).Get(cnf.DefaultQueue+".dead", true)
	require.NoError(t, err)
	require.Equal(t, "poison", uuidOf(t, d))
	require.Contains(t, d.Headers[amqpadapter.DeathReasonHeader], amqpadapter.ErrTooManyAttempts.Error())
	// Once from the queue and four times from the one beside it, and the worker that finds it dead.
	require.GreaterOrEqual(t, kills, 5)
}

func TestWorkerGoesOnWhenItsQueueIsDeleted(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	publish(t, broker, task("add", "a"))
	seen.Await(t, "a")
	_, err := dial(t, cnf.Broker).QueueDelete(cnf.DefaultQueue, false, false, false)
	require.NoError(t, err)
	publish(t, broker, task("add", "b"))
	seen.Await(t, "a", "b")
}

func TestTaskStaysWithItsWorkerWhenTheQueueBesideIsDeleted(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	latch := adaptertest.NewLatch(t)
	broker, beside := newBroker(t, cnf), cnf.DefaultQueue+".redelivered"
	work(t, broker, 2, &processor{Func: func(s *tasks.Signature) error {
		if s.Name == "slow" {
			return latch.Hold(s)
		}
		return nil
	}})
	publish(t, broker, task("slow", "a"))
	latch.Journal.Await(t, "a")
	channel := dial(t, cnf.Broker)
	others, err := channel.Consume(cnf.DefaultQueue, "", false, false, false, false, nil)
	require.NoError(t, err)
	_, err = channel.QueueDelete(beside, false, false, false)
	require.NoError(t, err)
	eventually(t, func() bool { return consumersOf(t, cnf, beside) == 1 }) // while the task runs
	for i := range 8 {
		publish(t, broker, task("add", fmt.Sprint(i)))
	}
	require.NotEqual(t, "a", uuidOf(t, adaptertest.Await(t, others)))
}

// Each channel is handed out as many tasks as the prefetch count says, and the tasks of those before it still run.
func TestPrefetchCountBoundsAnUnboundedWorkerWhoseQueuesAreDeleted(t *testing.T) {
	t.Parallel()
	const sent = 20
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	for i := range sent {
		publish(t, broker, task("slow", fmt.Sprint(i)))
	}
	runs, each := adaptertest.NewRuns(t), cnf.AMQP.PrefetchCount
	work(t, broker, 0, &processor{Func: runs.Run})
	for channels := 1; channels <= 2; channels++ {
		eventually(t, func() bool { return runs.Begun() == channels*each })
		_, err := dial(t, cnf.Broker).QueueDelete(cnf.DefaultQueue+".redelivered", false, false, false)
		require.NoError(t, err)
	}
	for range 100 { // round trips, in any of which a third channel could be handed out more
		require.Equal(t, sent-2*each, waiting(t, cnf, cnf.DefaultQueue))
	}
	for ended := range sent {
		eventually(t, func() bool { return runs.Begun() > ended })
		runs.End()
	}
	require.Equal(t, 2*each, runs.Together())
}

func TestWorkerUsesOneConnection(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	network := proxy(t, cnf)
	broker := newBroker(t, network.cnf)
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	work(t, broker, 1, &processor{Func: seen.Add, Queue: customQueueOf(cnf)})
	for i := range 20 {
		publish(t, broker, task("add", "a"), delayed(fmt.Sprint(i), time.Duration(i)*time.Millisecond))
	}
	eventually(t, func() bool { return len(seen.UUIDs()) == 40 })
	require.Equal(t, 2, network.Opened(), "one to publish, one to consume")
	broker.StopConsuming()
	eventually(t, func() bool { return network.Open() == 0 })
}

func TestMessageOfAForeignClientRuns(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	publish(t, broker, task("add", "a"))
	seen.Await(t, "a")
	require.NoError(t, dial(t, cnf.Broker).Publish(cnf.AMQP.Exchange, cnf.AMQP.BindingKey, true, false, amqp.Publishing{
		Headers: amqp.Table{amqpadapter.DeliveriesHeader: "many", "n": int64(7)},
		Body:    []byte(`{"Name":"add","UUID":"b","Args":[{"Type":"int64","Value":1}]}`),
	}))
	seen.Await(t, "a", "b")
}

func uuidOf(t *testing.T, d amqp.Delivery) string {
	t.Helper()
	s, err := delivery.Decode(d.Body)
	require.NoError(t, err)
	return s.UUID
}
