package conformance

import (
	"fmt"
	"sync"
	"testing"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var shutdownCases = []testCase{
	{name: "a worker that quits waits for its tasks, and loses none", run: shutdown},
}

// shutdown stops a worker while all it can run at once is running and more is waiting. Another worker does what is
// left.
func shutdown(t *testing.T, shared *fixture) {
	const sent = 12
	f := newIdleFixture(t, shared.transport)
	stopping := watchStop(f)
	started, finished := newTally(), newTally()
	release := make(chan struct{})
	work := func(line Line) (string, error) {
		started.add(line.SKU, nil)
		<-release
		finished.add(line.SKU, nil)
		return line.SKU, nil
	}
	name := f.register(t, work)
	quit := f.launch(t, f.workers, f.worker.NewWorker("first", 4))
	var results []middleware.Result
	for i := range sent {
		results = append(results, f.send(t, f.signature(t, name, Line{SKU: fmt.Sprint(i)})))
	}
	started.awaits(t, 4)

	quitted := make(chan struct{})
	go func() {
		defer close(quitted)
		quit()
		assert.Equal(t, started.all(), finished.all(), "it quit with tasks in flight")
	}()
	receive(t, stopping)
	assert.Empty(t, finished.all())
	close(release)
	receive(t, quitted)

	f.workers = f.newServer()
	f.worker = install(t, f.workers, registry())
	require.NoError(t, f.worker.RegisterTask(name, work))
	f.launch(t, f.workers, f.worker.NewWorker("second", 4))
	for i, res := range results {
		assert.Equal(t, fmt.Sprint(i), mustAwait[string](t, f, res))
	}
	f.workerLives(t)
	for sku, runs := range started.all() {
		assert.Len(t, runs, 1, "task %s ran more than once", sku)
	}
}

// stopWatch tells when a worker's broker is asked to stop.
type stopWatch struct {
	brokersiface.Broker
	stopping func()
}

func (w *stopWatch) StopConsuming() {
	w.stopping()
	w.Broker.StopConsuming()
}

func watchStop(f *fixture) <-chan struct{} {
	stopping := make(chan struct{})
	f.workers.SetBroker(&stopWatch{f.workers.GetBroker(), sync.OnceFunc(func() { close(stopping) })})
	return stopping
}
