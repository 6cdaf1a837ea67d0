package adaptertest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var replayClauses = []clause{
	{"ReplayedTaskIsSentAsItWas", replayedTaskIsSentAsItWas},
	{"ReplayLeavesABodyAloneThatNothingWasAddedTo", replayLeavesABodyAloneThatNothingWasAddedTo},
	{"ReplayGoesToTheQueueThatTheMessageCameFrom", replayGoesToTheQueueThatTheMessageCameFrom},
	{"MessageThatIsNoTaskIsNotReplayed", messageThatIsNoTaskIsNotReplayed},
	{"TaskOfAnUnknownQueueIsNotReplayed", taskOfAnUnknownQueueIsNotReplayed},
	{"ReplayAllKeepsTheOrder", replayAllKeepsTheOrder},
	{"ReplayAllGoesOnPastALetterThatFails", replayAllGoesOnPastALetterThatFails},
	{"ReplayersAtOnceReplayEachLetterOnce", replayersAtOnceReplayEachLetterOnce},
}

// declared makes sure that a queue is there: some servers know only those that somebody has declared.
func (f *fixture) declared(t *testing.T, queue string) {
	t.Helper()
	Publish(t, f.broker(t, Options{}), Routed(queue, "first"))
	f.Next(t, queue)
}

func replayedTaskIsSentAsItWas(t *testing.T, f *fixture) {
	store, broker := f.letters(t)
	f.declared(t, f.custom())
	sent := Task("add", "a", tasks.Arg{Type: "string", Value: "<kept>"})
	sent.RoutingKey = f.custom()
	sent.Headers = tasks.Headers{"trace": "1"}
	received := *sent
	past := time.Now().Add(-time.Minute)
	received.ETA = &past
	received.Headers = tasks.Headers{"trace": "1", middleware.AttemptsHeader: "10", middleware.UnknownHeader: "3"}
	push(t, store, &received)

	require.NoError(t, store.Replay(t.Context(), awaitLetters(t, store, 1)[0].ID))
	assert.Zero(t, count(t, store))
	assert.Equal(t, 1, f.Waiting(t, f.custom()))
	var seen Journal
	Work(t, broker, 1, &Processor{Func: seen.Add, Queue: f.custom()})
	seen.Await(t, "a")
	got := seen.Tasks()[0]
	assert.Equal(t, tasks.Headers{"trace": "1"}, got.Headers)
	assert.Equal(t, sent.Args, got.Args)
	assert.Equal(t, sent.RoutingKey, got.RoutingKey)
	assert.Nil(t, got.ETA)
}

func replayLeavesABodyAloneThatNothingWasAddedTo(t *testing.T, f *fixture) {
	body := `{ "Name":"add", "FromTheFuture":1, "UUID":"a" }`
	store := f.OwnDeadLetters(t)
	letter := f.reject(t, store, f.queue(), body)[0]
	assert.Equal(t, body, string(letter.Body))
	require.NoError(t, store.Replay(t.Context(), letter.ID))
	Eventually(t, func() bool { return f.Waiting(t, f.queue()) == 1 })
	assert.Equal(t, body, string(f.Next(t, f.queue())))
}

func replayGoesToTheQueueThatTheMessageCameFrom(t *testing.T, f *fixture) {
	store := f.OwnDeadLetters(t)
	letter := f.reject(t, store, f.custom(), `{"Name":"add","UUID":"a"}`)[0]
	assert.Equal(t, f.custom(), letter.Queue)
	require.NoError(t, store.Replay(t.Context(), letter.ID))
	Eventually(t, func() bool { return f.Waiting(t, f.custom()) == 1 })
	assert.Zero(t, f.Waiting(t, f.queue()))
}

func messageThatIsNoTaskIsNotReplayed(t *testing.T, f *fixture) {
	store := f.OwnDeadLetters(t)
	letter := f.reject(t, store, f.queue(), "garbage")[0]
	assert.ErrorIs(t, store.Replay(t.Context(), letter.ID), deadletter.ErrNoTask)
	assert.Equal(t, letter.ID, awaitLetters(t, store, 1)[0].ID)
	assert.Zero(t, f.Waiting(t, f.queue()))
	require.NoError(t, store.Drop(t.Context(), letter.ID))
}

func taskOfAnUnknownQueueIsNotReplayed(t *testing.T, f *fixture) {
	for _, queue := range []string{"", f.queue() + "-nowhere"} {
		store, _ := f.letters(t)
		push(t, store, Routed(queue, "a"))
		id := awaitLetters(t, store, 1)[0].ID
		assert.ErrorIs(t, store.Replay(t.Context(), id), deadletter.ErrUnknownQueue)
		replayed, err := store.ReplayAll(t.Context())
		assert.ErrorIs(t, err, deadletter.ErrUnknownQueue)
		assert.Zero(t, replayed)
		assert.Equal(t, id, awaitLetters(t, store, 1)[0].ID)
		require.NoError(t, store.Drop(t.Context(), id))
	}
}

// More letters than a store reads at a time.
func replayAllKeepsTheOrder(t *testing.T, f *fixture) {
	const many = 120
	store, broker := f.letters(t)
	f.declared(t, f.custom())
	var want []string
	for i := range many {
		want = append(want, fmt.Sprint(i))
		push(t, store, Routed(f.custom(), want[i]))
	}
	replayed, err := store.ReplayAll(t.Context())
	require.NoError(t, err)
	assert.Equal(t, many, replayed)
	assert.Zero(t, count(t, store))
	var seen Journal
	Work(t, broker, 1, &Processor{Func: seen.Add, Queue: f.custom()})
	seen.AwaitInOrder(t, want...)
}

func replayAllGoesOnPastALetterThatFails(t *testing.T, f *fixture) {
	store, broker := f.letters(t)
	f.declared(t, f.custom())
	garbage := f.reject(t, store, f.queue(), "garbage")[0].ID
	push(t, store, Routed(f.custom(), "a"), Routed(f.queue()+"-nowhere", "lost"), Routed(f.custom(), "b"))
	replayed, err := store.ReplayAll(t.Context())
	assert.Equal(t, 2, replayed)
	assert.ErrorIs(t, err, deadletter.ErrNoTask)
	assert.ErrorIs(t, err, deadletter.ErrUnknownQueue)
	left := awaitLetters(t, store, 2)
	assert.Equal(t, garbage, left[0].ID)
	assert.Equal(t, "lost", left[1].UUID)
	var seen Journal
	Work(t, broker, 1, &Processor{Func: seen.Add, Queue: f.custom()})
	seen.AwaitInOrder(t, "a", "b")
}

func replayersAtOnceReplayEachLetterOnce(t *testing.T, f *fixture) {
	const many = 30
	store, broker := f.letters(t)
	f.declared(t, f.custom())
	var want []string
	for i := range many {
		want = append(want, fmt.Sprint(i))
		push(t, store, Routed(f.custom(), want[i]))
	}
	var replayed atomic.Int32
	Eventually(t, func() bool { // a store may hide from one what it shows to the other
		Concurrently(3, func(int) {
			n, err := store.ReplayAll(t.Context())
			assert.NoError(t, err)
			replayed.Add(int32(n))
		})
		return count(t, store) == 0
	})
	assert.EqualValues(t, many, replayed.Load())
	var seen Journal
	Work(t, broker, 1, &Processor{Func: seen.Add, Queue: f.custom()})
	seen.Await(t, want...)
	broker.StopConsuming()
	assert.Zero(t, f.Waiting(t, f.custom()))
	assert.Len(t, seen.UUIDs(), many)

	push(t, store, Routed(f.custom(), "one"))
	id := awaitLetters(t, store, 1)[0].ID
	var sent, missed atomic.Int32
	Concurrently(3, func(int) {
		switch err := store.Replay(t.Context(), id); {
		case err == nil:
			sent.Add(1)
		case errors.Is(err, deadletter.ErrNotFound):
			missed.Add(1)
		default:
			assert.NoError(t, err)
		}
	})
	assert.EqualValues(t, 1, sent.Load())
	assert.EqualValues(t, 2, missed.Load())
	assert.Equal(t, 1, f.Waiting(t, f.custom()))
}
