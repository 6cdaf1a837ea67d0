package adaptertest

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
)

var consumeClauses = []clause{
	{"NoMoreTasksRunAtOnceThanAllowed", noMoreTasksRunAtOnceThanAllowed},
	{"ConcurrencyUnderOneWorks", concurrencyUnderOneWorks},
	{"NamesMayBeRegisteredWhileConsuming", namesMayBeRegisteredWhileConsuming},
	{"WorkerOfACustomQueueGetsOnlyItsOwnTasks", workerOfACustomQueueGetsOnlyItsOwnTasks},
	{"WorkerTakesNothingWhilePreConsumeHandlerRefuses", workerTakesNothingWhilePreConsumeHandlerRefuses},
	{"MessageOfAForeignClientRuns", messageOfAForeignClientRuns},
}

func noMoreTasksRunAtOnceThanAllowed(t *testing.T, f *fixture) {
	const allowed, sent = 3, 12
	broker := f.broker(t, Options{})
	for i := range sent {
		Publish(t, broker, Task("add", fmt.Sprint(i)))
	}
	runs := NewRuns(t)
	Work(t, broker, allowed, &Processor{Func: runs.Run})
	for ended := range sent {
		Eventually(t, func() bool { return runs.Begun() >= min(ended+allowed, sent) })
		runs.End()
	}
	assert.Equal(t, allowed, runs.Together())
}

func concurrencyUnderOneWorks(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	var seen Journal
	Work(t, broker, 0, &Processor{Func: seen.Add})
	Work(t, broker, -1, &Processor{Func: seen.Add, Queue: f.custom()})
	Publish(t, broker, Task("add", "a"), Routed(f.custom(), "b"))
	seen.Await(t, "a", "b")
}

func namesMayBeRegisteredWhileConsuming(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	Publish(t, broker, Task("late", "a"), Task("add", "b"))
	var seen Journal
	Start(t, broker, seen.Add)
	seen.Await(t, "b") // which came after the other
	broker.SetRegisteredTaskNames([]string{"add", "late"})
	seen.AwaitInOrder(t, "b", "a")
}

func workerOfACustomQueueGetsOnlyItsOwnTasks(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	var common, custom Journal
	Start(t, broker, common.Add)
	Work(t, broker, 1, &Processor{Func: custom.Add, Queue: f.custom()})
	// In each queue the last task comes when all before it have been taken.
	Publish(t, broker, Task("add", "a"), Routed(f.custom(), "b"), Delayed("c", tick), Task("add", "d"), Routed(f.custom(), "e"))
	common.Await(t, "a", "c", "d")
	custom.AwaitInOrder(t, "b", "e")
	broker.StopConsuming()
	assert.Zero(t, f.Waiting(t, f.queue())+f.Waiting(t, f.custom()))
	assert.Equal(t, 5, common.Len()+custom.Len())
}

func workerTakesNothingWhilePreConsumeHandlerRefuses(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	Publish(t, broker, Task("add", "a"))
	var seen Journal
	var ready atomic.Bool
	var asked, tooEarly atomic.Int32
	Work(t, broker, 1, &Processor{
		Func: func(s *tasks.Signature) error {
			if !ready.Load() {
				tooEarly.Add(1)
			}
			return seen.Add(s)
		},
		Ready: func() bool {
			asked.Add(1)
			return ready.Load()
		},
	})
	Eventually(t, func() bool { return asked.Load() > 2 })
	ready.Store(true)
	seen.Await(t, "a")
	assert.Zero(t, tooEarly.Load())
}

func messageOfAForeignClientRuns(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	var seen Journal
	Start(t, broker, seen.Add)
	Publish(t, broker, Task("add", "a"))
	seen.Await(t, "a")
	f.Enqueue(t, f.queue(), []byte(` {"Name":"add","UUID":"b","FromTheFuture":[{}],"Args":[{"Type":"int64","Value":1}]} `))
	seen.Await(t, "a", "b")
}
