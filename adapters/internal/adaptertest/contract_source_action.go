package adaptertest

import (
	"errors"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

var sourceActionClauses = []clause{
	{"DeletedTaskThatWaitedDoesNotRun", deletedTaskThatWaitedDoesNotRun},
	{"DeletedTaskThatWasDelayedIsGone", deletedTaskThatWasDelayedIsGone},
	{"DeletedTaskThatCameBackIsGone", deletedTaskThatCameBackIsGone},
	{"RunningTaskIsNotDeleted", runningTaskIsNotDeleted},
	{"DelayedTaskRunsNow", delayedTaskRunsNow},
	{"PausedQueueKeepsItsTasks", pausedQueueKeepsItsTasks},
	{"PauseHoldsForWorkersThatStartLater", pauseHoldsForWorkersThatStartLater},
	{"PauseIsOfOneQueue", pauseIsOfOneQueue},
}

func deletedTaskThatWaitedDoesNotRun(t *testing.T, f *fixture) {
	s, broker := f.source(t, "Delete", tasksIn(inspect.Waiting)), f.broker(t, Options{})
	Publish(t, broker, Task("add", "a"), Task("add", "b"), withCallback("c", "d"), Task("add", "e"))
	require.NoError(t, s.Delete(t.Context(), "a"))
	require.NoError(t, s.Delete(t.Context(), "e"))
	assert.ErrorIs(t, s.Delete(t.Context(), "d"), inspect.ErrNotFound)
	assert.ErrorIs(t, s.Delete(t.Context(), "a"), inspect.ErrNotFound)
	assert.Equal(t, []string{"b", "c"}, uuidsOf(f.awaitListed(t, s, inspect.Waiting, 2)))
	f.awaitCounts(t, s, inspect.Queue{Name: f.queue(), Waiting: 2})
	var seen Journal
	Start(t, broker, seen.Add)
	seen.AwaitInOrder(t, "b", "c")
	f.awaitCounts(t, s, inspect.Queue{Name: f.queue(), Workers: 1})
	assert.Equal(t, 2, seen.Len())
}

func deletedTaskThatWasDelayedIsGone(t *testing.T, f *fixture) {
	s, broker := f.source(t, "Delete", tasksIn(inspect.Delayed)), f.broker(t, Options{})
	Publish(t, broker, Delayed("a", time.Hour), Delayed("b", time.Hour))
	require.NoError(t, s.Delete(t.Context(), "a"))
	assert.Equal(t, []string{"b"}, uuidsOf(f.awaitListed(t, s, inspect.Delayed, 1)))
	assert.ErrorIs(t, s.Delete(t.Context(), "a"), inspect.ErrNotFound)
}

func deletedTaskThatCameBackIsGone(t *testing.T, f *fixture) {
	s := f.source(t, "Delete", tasksIn(inspect.PutBack))
	broker := f.broker(t, Options{Backoff: &Backoff{First: time.Hour, Last: time.Hour}})
	Start(t, broker, func(*tasks.Signature) error { return errors.New("backend is down") })
	Publish(t, broker, Task("add", "a"), Task("add", "b"))
	f.awaitListed(t, s, inspect.PutBack, 2)
	require.NoError(t, s.Delete(t.Context(), "a"))
	assert.Equal(t, []string{"b"}, uuidsOf(f.awaitListed(t, s, inspect.PutBack, 1)))
}

func runningTaskIsNotDeleted(t *testing.T, f *fixture) {
	s, broker := f.source(t, "Delete", tasksIn(inspect.Running)), f.broker(t, Options{})
	latch := NewLatch(t)
	Start(t, broker, latch.Hold)
	Publish(t, broker, Task("add", "a"))
	latch.Await(t, "a")
	assert.ErrorIs(t, s.Delete(t.Context(), "a"), inspect.ErrRunning)
	assert.Len(t, listed(t, s, f.queue(), inspect.Running, 0), 1)
}

func delayedTaskRunsNow(t *testing.T, f *fixture) {
	s, broker := f.source(t, "RunNow"), f.broker(t, Options{})
	Publish(t, broker, Delayed("a", time.Hour), Delayed("b", time.Hour), Task("add", "c"))
	require.NoError(t, s.RunNow(t.Context(), "b"))
	assert.ErrorIs(t, s.RunNow(t.Context(), "c"), inspect.ErrNotFound, "it is not delayed")
	var seen Journal
	Start(t, broker, seen.Add)
	seen.Await(t, "b", "c")
	assert.ErrorIs(t, s.RunNow(t.Context(), "b"), inspect.ErrNotFound)
	require.NoError(t, s.RunNow(t.Context(), "a"))
	seen.Await(t, "a", "b", "c")
}

func pausedQueueKeepsItsTasks(t *testing.T, f *fixture) {
	s, broker := f.source(t, "Pause"), f.broker(t, Options{})
	latch := NewLatch(t)
	Work(t, broker, 2, &Processor{Func: latch.Hold})
	Publish(t, broker, Task("add", "runs"))
	latch.Await(t, "runs")
	for range 2 {
		require.NoError(t, s.Pause(t.Context(), f.queue()))
	}
	Publish(t, broker, Task("add", "a"), Task("add", "b"))
	f.awaitCounts(t, s, inspect.Queue{Name: f.queue(), Waiting: 2, Running: 1, Workers: 1, Paused: true})
	latch.Release()
	f.awaitCounts(t, s, inspect.Queue{Name: f.queue(), Waiting: 2, Workers: 1, Paused: true})
	assert.Equal(t, []string{"runs"}, latch.UUIDs())
	for range 2 {
		require.NoError(t, s.Resume(t.Context(), f.queue()))
	}
	latch.Await(t, "runs", "a", "b")
	f.awaitCounts(t, s, inspect.Queue{Name: f.queue(), Workers: 1})
}

func pauseHoldsForWorkersThatStartLater(t *testing.T, f *fixture) {
	s, broker := f.source(t, "Pause"), f.broker(t, Options{})
	Publish(t, broker, Task("add", "a"))
	require.NoError(t, s.Pause(t.Context(), f.queue()))
	var seen Journal
	Start(t, broker, seen.Add)
	f.awaitCounts(t, s, inspect.Queue{Name: f.queue(), Waiting: 1, Workers: 1, Paused: true})
	assert.Zero(t, seen.Len())
	require.NoError(t, s.Resume(t.Context(), f.queue()))
	seen.Await(t, "a")
}

func pauseIsOfOneQueue(t *testing.T, f *fixture) {
	s, broker := f.source(t, "Pause"), f.broker(t, Options{})
	var seen, others Journal
	Start(t, broker, seen.Add)
	Work(t, broker, 1, &Processor{Func: others.Add, Queue: f.custom()})
	Eventually(t, func() bool { return f.find(t, s, f.custom()).Name != "" })
	require.NoError(t, s.Pause(t.Context(), f.custom()))
	Publish(t, broker, Routed(f.custom(), "a"), Task("add", "b"))
	seen.Await(t, "b")
	assert.True(t, f.find(t, s, f.custom()).Paused)
	assert.False(t, f.find(t, s, f.queue()).Paused)
	assert.Zero(t, others.Len())
	require.NoError(t, s.Resume(t.Context(), f.custom()))
	others.Await(t, "a")
}
