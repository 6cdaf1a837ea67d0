package adaptertest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

var unknownClauses = []clause{
	{"UnknownTaskGoesToOthersOnTheWorkersOwnQueue", unknownTaskGoesToOthersOnTheWorkersOwnQueue},
	{"UnknownTaskIsDroppedWhereItSaysSo", unknownTaskIsDroppedWhereItSaysSo},
	{"UnknownTaskIsLoggedByItsName", unknownTaskIsLoggedByItsName},
}

func unknownTaskGoesToOthersOnTheWorkersOwnQueue(t *testing.T, f *fixture) {
	one, other := f.broker(t, Options{}), f.broker(t, Options{})
	other.SetRegisteredTaskNames([]string{"rare"})
	var ones, others Journal
	Work(t, one, 1, &Processor{Func: ones.Add, Queue: f.custom()})
	rare := Task("rare", "a")
	rare.RoutingKey = f.custom()
	Publish(t, one, rare, Routed(f.custom(), "b"))
	ones.Await(t, "b")
	Work(t, other, 1, &Processor{Func: others.Add, Queue: f.custom()})
	others.Await(t, "a")
	one.StopConsuming()
	other.StopConsuming()
	assert.Equal(t, []string{"b"}, ones.UUIDs())
	assert.Zero(t, f.Waiting(t, f.queue())+f.Waiting(t, f.custom()))
	assert.Zero(t, count(t, f.DeadLetters(t)))
}

func unknownTaskIsDroppedWhereItSaysSo(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	dropped := Task("rare", "a")
	dropped.IgnoreWhenTaskNotRegistered = true
	Publish(t, broker, dropped, Task("add", "b"))
	var seen Journal
	Start(t, broker, seen.Add)
	seen.Await(t, "b")
	broker.SetRegisteredTaskNames([]string{"add", "rare"})
	Publish(t, broker, Task("add", "c"))
	seen.AwaitInOrder(t, "b", "c")
	broker.StopConsuming()
	assert.Zero(t, f.Waiting(t, f.queue()))
	assert.Zero(t, count(t, f.DeadLetters(t)))
}

func unknownTaskIsLoggedByItsName(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	Publish(t, broker, Task("rare", "a"), Task("add", "b"))
	var seen Journal
	Start(t, broker, seen.Add)
	seen.Await(t, "b")
	Eventually(t, func() bool { return len(f.log.Lines("task=rare", "uuid=a", "queue="+f.queue())) > 0 })
}
