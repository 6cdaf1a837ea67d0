package adaptertest

import (
	"fmt"
	"sync/atomic"
	"testing"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var stopClauses = []clause{
	{"StopBeforeStartEndsTheWorkerAtOnce", stopBeforeStartEndsTheWorkerAtOnce},
	{"StopMayComeOftenAndAtOnce", stopMayComeOftenAndAtOnce},
	{"StopWaitsForRunningTasks", stopWaitsForRunningTasks},
	{"StopLosesNoTask", stopLosesNoTask},
	{"StopEndsAllWorkersOfABroker", stopEndsAllWorkersOfABroker},
	{"StoppedBrokerStillPublishes", stoppedBrokerStillPublishes},
	{"StopInterruptsThePauseBeforeTheNextStart", stopInterruptsThePauseBeforeTheNextStart},
}

func stopBeforeStartEndsTheWorkerAtOnce(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	broker.StopConsuming()
	retry, err := broker.StartConsuming("worker", 1, &Processor{})
	require.NoError(t, err)
	assert.False(t, retry)
}

func stopMayComeOftenAndAtOnce(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	ended := Work(t, broker, 1, &Processor{})
	Concurrently(4, func(int) { broker.StopConsuming() })
	broker.StopConsuming()
	Await(t, ended)
}

// awaitStop returns when a broker has begun to stop: a worker that waits for tasks ends then.
func awaitStop(t *testing.T, f *fixture, broker brokersiface.Broker) {
	t.Helper()
	_, err := broker.StartConsuming("other", 1, &Processor{Queue: f.custom()})
	require.NoError(t, err)
}

func stopWaitsForRunningTasks(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	latch := NewLatch(t)
	var finished atomic.Bool
	ended := make(chan bool, 1)
	go func() {
		err := consume(broker, 1, &Processor{Func: func(s *tasks.Signature) error { // a server under load may refuse a start
			err := latch.Hold(s)
			finished.Store(true)
			return err
		}})
		assert.NoError(t, err)
		ended <- finished.Load()
	}()
	Publish(t, broker, Task("add", "a"))
	latch.Journal.Await(t, "a")
	stopped := make(chan bool, 1)
	go func() {
		broker.StopConsuming()
		stopped <- finished.Load()
	}()
	awaitStop(t, f, broker)
	latch.Release()
	assert.True(t, Await(t, stopped), "StopConsuming returned before the task had ended")
	assert.True(t, Await(t, ended), "StartConsuming returned before the task had ended")
	assert.Zero(t, f.Waiting(t, f.queue()), "the task was not acknowledged")
}

func stopLosesNoTask(t *testing.T, f *fixture) {
	const sent = 60
	producer := f.broker(t, Options{})
	var want []string
	for i := range sent {
		want = append(want, fmt.Sprint(i))
		Publish(t, producer, Task("add", want[i]))
	}
	var seen Journal
	for seen.Len() < sent {
		before := seen.Len()
		broker := f.broker(t, Options{})
		ended := Work(t, broker, 4, &Processor{Func: seen.Add})
		Eventually(t, func() bool { return seen.Len() > before })
		broker.StopConsuming()
		Await(t, ended)
	}
	assert.ElementsMatch(t, want, seen.UUIDs())
	assert.Zero(t, f.Waiting(t, f.queue()))
}

func stopEndsAllWorkersOfABroker(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	var common, custom Journal
	ended := Work(t, broker, 2, &Processor{Func: common.Add})
	endedToo := Work(t, broker, 2, &Processor{Func: custom.Add, Queue: f.custom()})
	Publish(t, broker, Task("add", "a"), Routed(f.custom(), "b"))
	common.Await(t, "a")
	custom.Await(t, "b")
	broker.StopConsuming()
	Await(t, ended)
	Await(t, endedToo)
}

func stoppedBrokerStillPublishes(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	Publish(t, broker, Task("add", "a"))
	broker.StopConsuming()
	Publish(t, broker, Task("add", "b"))
	assert.Equal(t, 2, f.Waiting(t, f.queue()))
}

func stopInterruptsThePauseBeforeTheNextStart(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	f.Network().Interrupt()
	retry, err := broker.StartConsuming("worker", 1, &Processor{})
	assert.True(t, retry, "the server may come back")
	require.Error(t, err)

	refused := f.Network().Refused()
	ended := Work(t, broker, 1, &Processor{})
	Eventually(t, func() bool { return f.Network().Refused() > refused })
	broker.StopConsuming()
	Await(t, ended)
}
