package redisadapter

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// priorityModel is what waits in a queue with priorities, in the order in which it is to be taken.
type priorityModel struct {
	broker     *broker
	processing *processing
	waiting    []*tasks.Signature
	sent       int
}

func newPriorityModel(t *rapid.T, client redis.UniversalClient) *priorityModel {
	ctx := context.Background()
	require.NoError(t, client.FlushAll(ctx).Err())
	b := NewBroker(&config.Config{DefaultQueue: "q"}, client).(*broker)
	m := &priorityModel{broker: b, processing: newProcessing(client, "q")}
	require.NoError(t, m.processing.findPriorities(ctx, true))
	h := &heartbeat{
		processing: m.processing,
		reporter:   newReporter(workerIdentity{}, time.Hour),
		liveness:   liveness{timeout: time.Hour},
	}
	require.NoError(t, h.register())
	return m
}

func (m *priorityModel) send(t *rapid.T) {
	m.sent++
	s := &tasks.Signature{
		Name: "add", UUID: fmt.Sprint(m.sent),
		Priority: rapid.SampledFrom([]uint8{0, 0, 1, 5, 9, 255}).Draw(t, "priority"),
	}
	require.NoError(t, m.broker.Publish(context.Background(), s))
	m.put(s)
}

// put inserts a task behind all of its priority and above.
func (m *priorityModel) put(s *tasks.Signature) {
	at := slices.IndexFunc(m.waiting, func(other *tasks.Signature) bool { return levelOf(other) < levelOf(s) })
	if at < 0 {
		at = len(m.waiting)
	}
	m.waiting = slices.Insert(m.waiting, at, s)
}

func (m *priorityModel) fetch(t *rapid.T) []string {
	n := rapid.IntRange(1, 4).Draw(t, "slots")
	got, err := m.processing.ackAndFetch(context.Background(), fetchRequest{slots: n, maxBytes: maxReplyBytes})
	require.NoError(t, err)
	require.Len(t, got.messages, min(n, len(m.waiting)))
	var bodies []string
	for i, message := range got.messages {
		s, err := delivery.DecodeWithin([]byte(message.body), maxReplyBytes)
		require.NoError(t, err)
		require.Equal(t, m.waiting[i].UUID, s.UUID)
		bodies = append(bodies, message.body)
	}
	m.waiting = m.waiting[len(bodies):]
	return bodies
}

// take acknowledges what it gets.
func (m *priorityModel) take(t *rapid.T) {
	require.NoError(t, m.processing.ack(context.Background(), m.fetch(t)))
}

// giveBack is what a worker does that stops, or others for one that has died.
func (m *priorityModel) giveBack(t *rapid.T) {
	before := slices.Clone(m.waiting)
	m.fetch(t)
	m.waiting = before
	require.NoError(t, m.processing.requeue(context.Background()))
}

// waitForOne is what an idle worker does. It gets something whenever there is something.
func (m *priorityModel) waitForOne(t *rapid.T) {
	if len(m.waiting) == 0 {
		return
	}
	ctx := context.Background()
	body, err := m.processing.waitForOne(ctx, blockingWait)
	require.NoError(t, err)
	require.NoError(t, m.processing.refill(ctx))
	require.NoError(t, m.processing.ack(ctx, []string{body}))
	s, err := delivery.DecodeWithin([]byte(body), maxReplyBytes)
	require.NoError(t, err)
	at := slices.IndexFunc(m.waiting, func(other *tasks.Signature) bool { return other.UUID == s.UUID })
	require.GreaterOrEqual(t, at, 0)
	m.waiting = slices.Delete(m.waiting, at, at+1)
}

func (m *priorityModel) list(t *rapid.T) {
	pending, err := m.broker.GetPendingTasks("")
	require.NoError(t, err)
	require.Len(t, pending, len(m.waiting))
}

// What waits is taken highest priority first, the oldest first of each, whatever was sent, taken and given back before;
// and a worker that waits for the queue alone gets something whenever there is something.
func TestQueueGivesTheHighestPriorityFirst(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	rapid.Check(t, func(t *rapid.T) {
		m := newPriorityModel(t, client)
		t.Repeat(map[string]func(*rapid.T){
			"send": m.send, "send more": m.send, "take": m.take, "give back": m.giveBack, "wait": m.waitForOne, "list": m.list,
		})
	})
}
