package redisadapter

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"
)

// announcing is a backend that is writing the PENDING of a task which was not published in time.
type announcing struct {
	*backend
	gate   *gate
	server *miniredis.Miniredis
	task   *tasks.Signature
	ended  chan struct{} // closed when it has written the state
}

func newAnnouncing(t *testing.T) *announcing {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	a := &announcing{
		backend: NewBackend(&config.Config{}, client).(*backend), gate: newGate(), server: server,
		task: &tasks.Signature{UUID: "test-" + rand.Text()}, ended: make(chan struct{}),
	}
	require.NoError(t, overdueScript.Load(t.Context(), client).Err())
	client.AddHook(a.gate)
	announced.add(a.backend, a.task, []byte("first"), time.Hour)
	announced.mu.Lock()
	first := announced.byUUID[a.task.UUID]
	announced.mu.Unlock()
	go func() {
		defer close(a.ended)
		announced.overdue(first)
	}()
	<-a.gate.arrived
	return a
}

// release has the state written a moment later.
func (a *announcing) release() { time.AfterFunc(10*time.Millisecond, func() { close(a.gate.open) }) }

func TestWhoAsksWaitsForThePendingThatIsBeingWritten(t *testing.T) {
	t.Parallel()
	a := newAnnouncing(t)
	a.release()
	announced.hurry(a.task.UUID, a.backend)
	require.True(t, a.server.Exists(a.task.UUID))
}

func TestPendingThatIsBeingWrittenIsNotWrittenWithTheTask(t *testing.T) {
	t.Parallel()
	a := newAnnouncing(t)
	a.release()
	require.Nil(t, announced.take(t.Context(), a.task.UUID, a.identity))
	require.True(t, a.server.Exists(a.task.UUID))
}

func TestPendingOfASecondSendIsNotTakenForTheFirst(t *testing.T) {
	t.Parallel()
	a := newAnnouncing(t)
	announced.add(a.backend, a.task, []byte("second"), time.Hour)
	close(a.gate.open)
	<-a.ended
	second := announced.take(t.Context(), a.task.UUID, a.identity)
	require.NotNil(t, second)
	require.Equal(t, "second", string(second.state))
}

func TestPublishDoesNotOutlastItsContextForAPendingThatIsBeingWritten(t *testing.T) {
	t.Parallel()
	a := newAnnouncing(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	broker := NewBroker(&config.Config{DefaultQueue: "q"}, a.client).(Broker)
	require.ErrorIs(t, broker.Publish(ctx, a.task), context.Canceled)
	require.ErrorIs(t, broker.PublishMany(ctx, []*tasks.Signature{a.task})[0], context.Canceled)
	close(a.gate.open)
}
