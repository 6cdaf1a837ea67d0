package adaptertest

import (
	"io"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	eagerbroker "github.com/RichardKnop/machinery/v2/brokers/eager"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var quitClauses = []clause{
	{"WorkersOfOneServerQuitOneByOne", workersOfOneServerQuitOneByOne},
	{"EveryWorkerOfAServerMayQuit", everyWorkerOfAServerMayQuit},
	{"WorkerThatQuitBeforeItsStartDoesNotStart", workerThatQuitBeforeItsStartDoesNotStart},
	{"QuitRefusesAWorkerOfAnotherBroker", quitRefusesAWorkerOfAnotherBroker},
	{"ClosedBrokerSaysSo", closedBrokerSaysSo},
	{"CloseWaitsForRunningTasks", closeWaitsForRunningTasks},
}

// server returns Machinery's server with the broker, below the middleware, and the task "add" that adds to a journal.
func (f *fixture) server(t *testing.T, broker brokersiface.Broker, seen *Journal) *machinery.Server {
	t.Helper()
	f.Config().NoUnixSignals = true
	server := machinery.NewServer(f.Config(), broker, eagerbackend.New(), eagerlock.New())
	_, err := middleware.Install(server, envelope.NewRegistry())
	require.NoError(t, err)
	require.NoError(t, server.RegisterTask("add", func() error { return seen.Add(Task("add", "ran")) }))
	return server
}

func launch(worker *machinery.Worker) <-chan struct{} {
	ended, result := make(chan struct{}), make(chan error, 1)
	worker.LaunchAsync(result)
	go func() {
		defer close(ended)
		<-result
	}()
	return ended
}

func workersOfOneServerQuitOneByOne(t *testing.T, f *fixture) {
	var seen Journal
	broker := f.broker(t, Options{})
	server := f.server(t, broker, &seen)
	first, second := server.NewWorker("first", 1), server.NewWorker("second", 1)
	firstEnded, secondEnded := launch(first), launch(second)
	Publish(t, broker, Task("add", "a"))
	seen.Await(t, "ran")

	require.NoError(t, f.Quit(first))
	Await(t, firstEnded)
	Publish(t, broker, Task("add", "b"))
	seen.Await(t, "ran", "ran")
	assert.False(t, Closed(secondEnded))
	require.NoError(t, f.Quit(first), "once more does no harm")

	require.NoError(t, f.Quit(second))
	Await(t, secondEnded)
	Publish(t, broker, Task("add", "c"))
	assert.Equal(t, 1, f.Waiting(t, f.queue()))
}

func everyWorkerOfAServerMayQuit(t *testing.T, f *fixture) {
	var seen Journal
	broker := f.broker(t, Options{})
	server := f.server(t, broker, &seen)
	first, second := server.NewWorker("first", 1), server.NewWorker("second", 1)
	firstEnded, secondEnded := launch(first), launch(second)
	first.Quit()
	second.Quit()
	Await(t, firstEnded)
	Await(t, secondEnded)
	Publish(t, broker, Task("add", "a"))
	assert.Equal(t, 1, f.Waiting(t, f.queue()))
	assert.Zero(t, seen.Len())
}

func workerThatQuitBeforeItsStartDoesNotStart(t *testing.T, f *fixture) {
	var seen Journal
	worker := f.server(t, f.broker(t, Options{}), &seen).NewWorker("worker", 1)
	require.NoError(t, f.Quit(worker))
	Await(t, launch(worker))
}

func quitRefusesAWorkerOfAnotherBroker(t *testing.T, f *fixture) {
	var seen Journal
	server := f.server(t, eagerbroker.New(), &seen)
	assert.ErrorIs(t, f.Quit(server.NewWorker("worker", 1)), f.ErrForeignBroker)
}

func closedBrokerSaysSo(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	Publish(t, broker, Task("add", "a"))
	closer := broker.(io.Closer)
	require.NoError(t, closer.Close())
	require.NoError(t, closer.Close(), "once more does no harm")
	require.ErrorIs(t, broker.Publish(t.Context(), Task("add", "b")), f.ErrClosed)
	retry, err := broker.StartConsuming("worker", 1, &Processor{})
	assert.False(t, retry)
	require.ErrorIs(t, err, f.ErrClosed)
	broker.StopConsuming()
	assert.Equal(t, 1, f.Waiting(t, f.queue()))
}

func closeWaitsForRunningTasks(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	latch := NewLatch(t)
	ended := Work(t, broker, 1, &Processor{Func: latch.Hold})
	Publish(t, broker, Task("add", "a"))
	latch.Journal.Await(t, "a")
	closed := make(chan error, 1)
	go func() { closed <- broker.(io.Closer).Close() }()
	awaitStop(t, f, broker)
	assert.False(t, Closed(closed))
	latch.Release()
	require.NoError(t, Await(t, closed))
	Await(t, ended)
	assert.Zero(t, f.Waiting(t, f.queue()))
}
