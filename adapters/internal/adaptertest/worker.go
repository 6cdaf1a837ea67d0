package adaptertest

import (
	"sync"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"
)

// Work consumes as Machinery's worker does until the broker stops, at the latest at the end of the test. The channel is
// closed when no more tasks run.
func Work(t testing.TB, broker brokersiface.Broker, concurrency int, p *Processor) <-chan struct{} {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = consume(broker, concurrency, p)
	}()
	t.Cleanup(func() {
		broker.StopConsuming()
		<-ended
	})
	return ended
}

// consume starts again for as long as the broker says so, and returns the error of the last start.
func consume(broker brokersiface.Broker, concurrency int, p *Processor) error {
	for {
		retry, err := broker.StartConsuming("worker", concurrency, p)
		if !retry {
			return err
		}
	}
}

// Start is Work on one task at a time with a new processor of the default queue.
func Start(t testing.TB, broker brokersiface.Broker, process func(*tasks.Signature) error) *Processor {
	t.Helper()
	p := &Processor{Func: process}
	Work(t, broker, 1, p)
	return p
}

// Publish sends tasks, which must succeed.
func Publish(t testing.TB, broker brokersiface.Broker, signatures ...*tasks.Signature) {
	t.Helper()
	for _, s := range signatures {
		require.NoError(t, broker.Publish(t.Context(), s))
	}
}

// Task returns a new task.
func Task(name, uuid string, args ...tasks.Arg) *tasks.Signature {
	return &tasks.Signature{Name: name, UUID: uuid, Args: args}
}

// Routed returns the task "add" of a queue.
func Routed(queue, uuid string) *tasks.Signature {
	s := Task("add", uuid)
	s.RoutingKey = queue
	return s
}

// Delayed returns the task "add" with an ETA that lies so far ahead.
func Delayed(uuid string, by time.Duration) *tasks.Signature {
	s := Task("add", uuid)
	eta := time.Now().Add(by)
	s.ETA = &eta
	return s
}

// Concurrently runs a function so many times at once and returns when all have ended.
func Concurrently(many int, do func(i int)) {
	var group sync.WaitGroup
	for i := range many {
		group.Go(func() { do(i) })
	}
	group.Wait()
}
