package adaptertest

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

var sourceWorkerClauses = []clause{
	{"WorkersAreToldAndWhatTheyRun", workersAreToldAndWhatTheyRun},
	{"WorkerThatHasStoppedIsNotTold", workerThatHasStoppedIsNotTold},
	{"RunningTasksAreListedAndFound", runningTasksAreListedAndFound},
	{"TaskThatCameBackIsListedAndFound", taskThatCameBackIsListedAndFound},
}

func workersAreToldAndWhatTheyRun(t *testing.T, f *fixture) {
	s, broker := f.source(t, "Workers"), f.broker(t, Options{})
	latch := NewLatch(t)
	Work(t, broker, 3, &Processor{Func: latch.Hold})
	Work(t, broker, 2, &Processor{Func: latch.Hold, Queue: f.custom()})
	Publish(t, broker, Task("add", "a"), Routed(f.custom(), "b"))
	latch.Await(t, "a", "b")

	byQueue := f.awaitWorkers(t, s, f.queue(), f.custom())
	host, err := os.Hostname()
	require.NoError(t, err)
	for queue, want := range map[string]struct {
		concurrency int
		runs        string
	}{f.queue(): {3, "a"}, f.custom(): {2, "b"}} {
		got := byQueue[queue]
		assert.NotEmpty(t, got.ID)
		assert.Equal(t, host, got.Host)
		assert.Equal(t, os.Getpid(), got.Process)
		assert.Equal(t, want.concurrency, got.Concurrency)
		assert.WithinDuration(t, time.Now(), got.Started, time.Hour)
		require.Len(t, got.Running, 1)
		assert.Equal(t, want.runs, got.Running[0].UUID)
		assert.Equal(t, "add", got.Running[0].Name)
		assert.Equal(t, queue, got.Running[0].Queue)
	}
	assert.NotEqual(t, byQueue[f.queue()].ID, byQueue[f.custom()].ID)
	Eventually(t, func() bool {
		since := f.awaitWorkers(t, s, f.queue())[f.queue()].Running[0].Since
		return !since.IsZero() && time.Since(since) < time.Hour
	})
}

// awaitWorkers waits until there is one worker of each of the queues, which runs a task, and returns them by the queue
// that they are found at first.
func (f *fixture) awaitWorkers(t *testing.T, s inspect.Source, queues ...string) map[string]inspect.Worker {
	t.Helper()
	byQueue := make(map[string]inspect.Worker)
	Eventually(t, func() bool {
		clear(byQueue)
		workers, err := s.Workers(t.Context())
		require.NoError(t, err)
		for _, w := range workers {
			for _, run := range w.Running {
				byQueue[run.Queue] = w
			}
		}
		for _, queue := range queues {
			if _, found := byQueue[queue]; !found {
				return false
			}
		}
		return true
	})
	return byQueue
}

func workerThatHasStoppedIsNotTold(t *testing.T, f *fixture) {
	s, broker := f.source(t, "Workers"), f.broker(t, Options{})
	ended := Work(t, broker, 1, &Processor{Func: new(Journal).Add})
	many := func() int {
		workers, err := s.Workers(t.Context())
		require.NoError(t, err)
		return len(workers)
	}
	Eventually(t, func() bool { return many() == 1 })
	broker.StopConsuming()
	Await(t, ended)
	Eventually(t, func() bool { return many() == 0 })
}

func runningTasksAreListedAndFound(t *testing.T, f *fixture) {
	s, broker := f.source(t, tasksIn(inspect.Running)), f.broker(t, Options{})
	latch := NewLatch(t)
	Work(t, broker, 2, &Processor{Func: latch.Hold})
	Publish(t, broker, Task("add", "a"), Task("add", "b"))
	latch.Await(t, "a", "b")
	for _, limit := range []int{0, 1} {
		all := listed(t, s, f.queue(), inspect.Running, limit)
		assert.ElementsMatch(t, []string{"a", "b"}, uuidsOf(all))
		for _, one := range all {
			assert.Equal(t, inspect.Running, one.State)
			assert.NotEmpty(t, one.Worker)
		}
	}
	f.needs(t, "Task")
	got, err := s.Task(t.Context(), "b")
	require.NoError(t, err)
	assert.Equal(t, inspect.Running, got.State)
	assert.NotEmpty(t, got.Worker)
}

func taskThatCameBackIsListedAndFound(t *testing.T, f *fixture) {
	s := f.source(t, tasksIn(inspect.PutBack))
	broker := f.broker(t, Options{Backoff: &Backoff{First: time.Hour, Last: time.Hour}})
	Start(t, broker, func(*tasks.Signature) error { return errors.New("backend is down") })
	Publish(t, broker, Task("add", "a", tasks.Arg{Type: "string", Value: ":"}))
	got := f.awaitListed(t, s, inspect.PutBack, 1)[0]
	assert.Equal(t, "a", got.UUID)
	assert.Equal(t, inspect.PutBack, got.State)
	assert.Greater(t, time.Until(got.ETA), 10*time.Minute)
	assert.Equal(t, 1, got.Attempts)
	require.NotNil(t, got.Signature)
	f.awaitCounts(t, s, inspect.Queue{Name: f.queue(), PutBack: 1, Workers: 1})
	f.needs(t, "Task")
	found, err := s.Task(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, got, found)
}
