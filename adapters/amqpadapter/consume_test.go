package amqpadapter_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/brokers/errs"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

// quickly makes attempts follow each other at once.
var quickly = amqpadapter.WithPauses(time.Millisecond, time.Millisecond)

func TestStopWaitsForRunningTasksAndAcknowledgesThem(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
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
	require.Zero(t, waiting(t, cnf, cnf.DefaultQueue))
}

func TestStopLosesNoTask(t *testing.T) {
	cnf := rabbitMQ(t)
	const sent = 200
	producer := newBroker(t, cnf)
	for i := range sent {
		publish(t, producer, task("add", fmt.Sprint(i)))
	}
	var seen journal
	for round := 1; len(seen.uuids()) < sent; round++ {
		worker := newBroker(t, cnf)
		before := len(seen.uuids())
		ended := work(t, worker, 4, &processor{process: seen.add})
		eventually(t, func() bool { return len(seen.uuids()) > before })
		worker.StopConsuming()
		eventually(t, closed(ended))
	}
	require.Len(t, seen.uuids(), sent, "a task ran twice")
	require.Zero(t, waiting(t, cnf, cnf.DefaultQueue)+waiting(t, cnf, cnf.DefaultQueue+".redelivered"))
}

func TestBrokerMayBeStoppedTwiceAtOnceAndBeforeStart(t *testing.T) {
	broker := newBroker(t, offline())
	go broker.StopConsuming()
	broker.StopConsuming()
	broker.StopConsuming()
	retry, err := broker.StartConsuming("worker", 1, &processor{})
	require.NoError(t, err)
	require.False(t, retry)
}

func TestUnreachableRabbitMQIsReportedAfterAPause(t *testing.T) {
	broker := newBroker(t, offline())
	began := time.Now()
	for range 3 {
		retry, err := broker.StartConsuming("worker", 1, &processor{})
		require.True(t, retry)
		require.ErrorContains(t, err, "connect to rabbitmq")
	}
	require.GreaterOrEqual(t, time.Since(began), 3*25*time.Millisecond)
}

func TestStopInterruptsThePause(t *testing.T) {
	broker := newBroker(t, offline())
	ended := work(t, broker, 1, &processor{})
	broker.StopConsuming()
	eventually(t, closed(ended))
}

func TestWorkerReportsAQueueOfAnotherForm(t *testing.T) {
	cnf := rabbitMQ(t)
	publish(t, newBroker(t, cnf), task("add", "a"))
	cnf.AMQP.QueueDeclareArgs = config.QueueDeclareArgs{"x-max-priority": 10}
	retry, err := newBroker(t, cnf).StartConsuming("worker", 1, &processor{})
	require.True(t, retry)
	require.ErrorContains(t, err, cnf.DefaultQueue)
	require.ErrorContains(t, err, "x-max-priority")
}

func TestWorkerRunsAsManyTasksAtATimeAsItShall(t *testing.T) {
	cnf := rabbitMQ(t)
	cnf.AMQP.PrefetchCount = 20
	broker := newBroker(t, cnf)
	var running, most atomic.Int32
	var seen journal
	work(t, broker, 3, &processor{process: func(s *tasks.Signature) error {
		n := running.Add(1)
		defer running.Add(-1)
		if n > most.Load() {
			most.Store(n)
		}
		eventually(t, func() bool { return running.Load() == 3 || len(seen.uuids()) >= 9 })
		return seen.add(s)
	}})
	for i := range 12 {
		publish(t, broker, task("add", fmt.Sprint(i)))
	}
	eventually(t, func() bool { return len(seen.uuids()) == 12 })
	require.Equal(t, int32(3), most.Load())
}

func TestPrefetchCountBoundsAnUnboundedWorker(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	var running atomic.Int32
	finish := make(chan struct{})
	defer close(finish)
	work(t, broker, 0, &processor{process: func(*tasks.Signature) error {
		running.Add(1)
		<-finish
		return nil
	}})
	for i := range 10 {
		publish(t, broker, task("slow", fmt.Sprint(i)))
	}
	eventually(t, func() bool { return running.Load() == 3 })
	require.Never(t, func() bool { return running.Load() > 3 }, glance, tick)
}

func TestPriorTasksComeFirst(t *testing.T) {
	cnf := rabbitMQ(t)
	cnf.AMQP.QueueDeclareArgs, cnf.AMQP.PrefetchCount = config.QueueDeclareArgs{"x-max-priority": 10}, 1
	broker := newBroker(t, cnf)
	low, high, later := task("add", "low"), task("add", "high"), delayed("later", 50*time.Millisecond)
	high.Priority, later.Priority = 5, 9
	publish(t, broker, low, high, later)
	eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue) == 3 })
	var seen journal
	work(t, broker, 1, &processor{process: seen.add})
	seen.awaits(t, "low", "high", "later")
	require.Equal(t, []string{"later", "high", "low"}, seen.uuids())
}

func TestWorkerOfACustomQueueGetsOnlyItsOwnTasks(t *testing.T) {
	cnf := rabbitMQ(t)
	// Machinery's worker of the queue has left its binding.
	channel := dial(t, cnf.Broker)
	require.NoError(t, channel.ExchangeDeclare(cnf.AMQP.Exchange, "direct", true, false, false, false, nil))
	_, err := channel.QueueDeclare(customQueueOf(cnf), true, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, channel.QueueBind(customQueueOf(cnf), cnf.AMQP.BindingKey, cnf.AMQP.Exchange, false, nil))

	broker := newBroker(t, cnf)
	var common, custom journal
	ended := work(t, broker, 2, &processor{process: common.add})
	endedToo := work(t, broker, 2, &processor{process: custom.add, queue: customQueueOf(cnf)})
	eventually(t, func() bool { return consumersOf(t, cnf, customQueueOf(cnf)) == 1 })
	elsewhere := task("add", "b")
	elsewhere.RoutingKey = customQueueOf(cnf)
	publish(t, broker, task("add", "a"), elsewhere, delayed("c", time.Millisecond))
	common.awaits(t, "a", "c")
	custom.awaits(t, "b")
	require.Never(t, func() bool { return len(common.uuids())+len(custom.uuids()) > 3 }, glance, tick)

	broker.StopConsuming()
	eventually(t, closed(ended))
	eventually(t, closed(endedToo))
}

func consumersOf(t *testing.T, cnf *config.Config, queue string) int {
	found, err := dial(t, cnf.Broker).QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		return 0
	}
	return found.Consumers
}

func TestUnknownTasksGoToOthersOnTheQueue(t *testing.T) {
	cnf := rabbitMQ(t)
	ignorant, knowing := newBroker(t, cnf), newBroker(t, cnf)
	knowing.SetRegisteredTaskNames([]string{"rare"})
	var passed atomic.Int32
	work(t, ignorant, 1, &processor{process: func(*tasks.Signature) error { passed.Add(1); return nil }})
	dropped := task("rare", "dropped")
	dropped.IgnoreWhenTaskNotRegistered = true
	publish(t, knowing, dropped)
	eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue) == 0 })
	publish(t, knowing, task("rare", "a"), task("rare", "b"), task("add", "c"))
	eventually(t, func() bool { return passed.Load() == 1 })

	var seen journal
	work(t, knowing, 1, &processor{process: seen.add})
	seen.awaits(t, "a", "b")
}

func TestUnknownTasksDoNotSpin(t *testing.T) {
	logs := captureLogs()
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	// A queue of the test's own gets a copy each time the task comes round.
	publish(t, broker, delayed("first", time.Millisecond)) // declares the exchange
	tap := dial(t, cnf.Broker)
	copies, err := tap.QueueDeclare("", false, true, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, tap.QueueBind(copies.Name, "", "machinery.delay.due", false, amqp.Table{
		"x-match": "all", "machinery-delay-queue": cnf.DefaultQueue,
	}))
	seen := func() int {
		found, err := tap.QueueDeclarePassive(copies.Name, false, true, true, false, nil)
		require.NoError(t, err)
		return found.Messages
	}
	work(t, broker, 1, &processor{process: func(*tasks.Signature) error { return nil }})
	publish(t, broker, task("rare", "a"))
	eventually(t, func() bool { return seen() >= 2 })
	require.Never(t, func() bool { return seen() > 10 }, glance, 10*tick)
	broker.StopConsuming()
	require.Contains(t, logs.String(), "not registered")
}

func TestProcessErrorsPutTheTaskBack(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf, quickly)
	var seen journal
	work(t, broker, 1, &processor{process: func(s *tasks.Signature) error {
		_ = seen.add(s)
		s.Args = nil // as Machinery does while it processes a task
		if len(seen.uuids()) < 3 {
			return errors.New("backend is down")
		}
		return nil
	}})
	publish(t, broker, task("add", "a", tasks.Arg{Type: "string", Value: "kept"}))
	seen.awaits(t, "a", "a", "a")
	broker.StopConsuming()
	require.Zero(t, waiting(t, cnf, cnf.DefaultQueue))
	require.Zero(t, waiting(t, cnf, cnf.DefaultQueue+".dead"))
}

func TestWhatNobodyCanDoGoesToTheDeadLetters(t *testing.T) {
	cases := []struct {
		name     string
		err      error
		body     string
		attempts int32
		reason   error
	}{
		{"an error each time", errors.New("backend is down"), `{"Name":"add"}`, 3, amqpadapter.ErrTooManyAttempts},
		{"arguments that Machinery cannot reflect", errors.New("Reflect task args error: x"), `{"Name":"add"}`, 1, amqpadapter.ErrRejected},
		{"a worker that wants it kept", errs.ErrStopTaskDeletion, `{"Name":"add"}`, 1, amqpadapter.ErrRejected},
		{"no JSON", nil, `{"Name":"add"`, 0, amqpadapter.ErrNoTask},
		{"no task", nil, `[1]`, 0, amqpadapter.ErrNoTask},
		{"no name", nil, `{"UUID":"a"}`, 0, amqpadapter.ErrNoTask},
		{"nothing", nil, ``, 0, amqpadapter.ErrNoTask},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cnf := rabbitMQ(t)
			broker := newBroker(t, cnf, quickly, amqpadapter.WithMaxAttempts(3))
			var attempts atomic.Int32
			work(t, broker, 1, &processor{process: func(*tasks.Signature) error {
				attempts.Add(1)
				return c.err
			}})
			eventually(t, func() bool { return consumersOf(t, cnf, cnf.DefaultQueue) == 1 })
			sendRaw(t, cnf, c.body)
			eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue+".dead") == 1 })
			require.Equal(t, c.attempts, attempts.Load())
			d, _, err := dial(t, cnf.Broker).Get(cnf.DefaultQueue+".dead", true)
			require.NoError(t, err)
			require.Equal(t, c.body, string(d.Body))
			require.Contains(t, d.Headers[amqpadapter.DeathReasonHeader], c.reason.Error())
			require.Equal(t, cnf.DefaultQueue, d.Headers[amqpadapter.DeathQueueHeader])
		})
	}
}

// Other clients may send headers that fill a frame, which leaves no room for ours.
func TestHeadersThatLeaveNoRoomHoldUpNoWorker(t *testing.T) {
	for _, body := range []string{`[1]`, `{"Name":"unknown"}`} {
		cnf := rabbitMQ(t)
		broker := newBroker(t, cnf, quickly)
		publish(t, broker, task("add", "before"))
		require.NoError(t, dial(t, cnf.Broker).Publish("", cnf.DefaultQueue, false, false, amqp.Publishing{
			Headers: amqp.Table{"large": strings.Repeat("x", 128_000)}, Body: []byte(body),
		}))
		eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue) == 2 })
		var seen journal
		work(t, broker, 1, &processor{process: seen.add})
		eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue+".dead") == 1 })
		publish(t, broker, task("add", "after"))
		seen.awaits(t, "before", "after")
		d, _, err := dial(t, cnf.Broker).Get(cnf.DefaultQueue+".dead", true)
		require.NoError(t, err)
		require.Equal(t, body, string(d.Body))
	}
}

func TestPanickingProcessorIsAnErrorOfItsTaskAlone(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf, quickly, amqpadapter.WithMaxAttempts(2))
	publish(t, broker, task("slow", "poison"), task("add", "innocent"))
	var seen journal
	work(t, broker, 1, &processor{process: func(s *tasks.Signature) error {
		if s.Name == "slow" {
			panic(s)
		}
		return seen.add(s)
	}})
	seen.awaits(t, "innocent")
	eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue+".dead") == 1 })
}

// The worker is lost by cutting its connection while it has the task; the task itself never ends.
func TestTaskThatKillsWorkersEndsInTheDeadLetters(t *testing.T) {
	cnf := rabbitMQ(t)
	publish(t, newBroker(t, cnf), task("slow", "poison"), task("add", "innocent"))
	wire := proxy(t, cnf)
	var seen journal
	var kills atomic.Int32
	finish := make(chan struct{})
	release := sync.OnceFunc(func() { close(finish) })
	broker := newBroker(t, wire.cnf, quickly, amqpadapter.WithMaxAttempts(4))
	work(t, broker, 0, &processor{process: func(s *tasks.Signature) error {
		if s.Name == "add" {
			return seen.add(s)
		}
		kills.Add(1)
		<-finish
		return nil
	}})
	t.Cleanup(release) // before the broker waits for the task
	cuts := int32(0)
	eventually(t, func() bool {
		if kills.Load() > cuts {
			cuts++
			wire.cut()
		}
		return waiting(t, cnf, cnf.DefaultQueue+".dead") == 1
	})
	eventually(t, func() bool { return len(seen.uuids()) > 0 })
	release()
	broker.StopConsuming()
	d, _, err := dial(t, cnf.Broker).Get(cnf.DefaultQueue+".dead", true)
	require.NoError(t, err)
	require.Equal(t, "poison", d.CorrelationId)
	require.Contains(t, d.Headers[amqpadapter.DeathReasonHeader], amqpadapter.ErrTooManyAttempts.Error())
	// Once from the queue and four times from the one beside it; a cut while it is moved doubles it.
	require.GreaterOrEqual(t, kills.Load(), int32(5))
}

func TestWorkerGoesOnWhenItsQueueIsDeleted(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	var seen journal
	work(t, broker, 1, &processor{process: seen.add})
	publish(t, broker, task("add", "a"))
	seen.awaits(t, "a")
	_, err := dial(t, cnf.Broker).QueueDelete(cnf.DefaultQueue, false, false, false)
	require.NoError(t, err)
	publish(t, broker, task("add", "b"))
	seen.awaits(t, "a", "b")
}

func TestWorkerUsesOneConnection(t *testing.T) {
	cnf := rabbitMQ(t)
	wire := proxy(t, cnf)
	broker := newBroker(t, wire.cnf)
	var seen journal
	work(t, broker, 1, &processor{process: seen.add})
	work(t, broker, 1, &processor{process: seen.add, queue: customQueueOf(cnf)})
	for i := range 20 {
		publish(t, broker, task("add", "a"), delayed(fmt.Sprint(i), time.Duration(i)*time.Millisecond))
	}
	eventually(t, func() bool { return len(seen.uuids()) == 40 })
	require.Equal(t, 2, wire.opened(), "one to publish, one to consume")
	broker.StopConsuming()
	eventually(t, func() bool { return wire.open() == 0 })
}

func TestMessageOfAForeignClientRuns(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	var seen journal
	work(t, broker, 1, &processor{process: seen.add})
	publish(t, broker, task("add", "a"))
	seen.awaits(t, "a")
	require.NoError(t, dial(t, cnf.Broker).Publish(cnf.AMQP.Exchange, cnf.AMQP.BindingKey, true, false, amqp.Publishing{
		Headers: amqp.Table{amqpadapter.AttemptsHeader: "many", "n": int64(7)},
		Body:    []byte(`{"Name":"add","UUID":"b","Args":[{"Type":"int64","Value":1}]}`),
	}))
	seen.awaits(t, "a", "b")
}
