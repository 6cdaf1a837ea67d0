package amqpadapter

import (
	"crypto/rand"
	"io"
	"testing"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// newPausable returns a consumer on a queue of its own, which the test runs step by step, its broker, and a source that
// pauses the queue.
func newPausable(t *testing.T) (*consumer, *broker, inspect.Source) {
	name := "test-" + rand.Text()
	cnf := &config.Config{
		Broker: services.AMQP(t), DefaultQueue: name,
		AMQP: &config.AMQPConfig{Exchange: name, ExchangeType: "direct", BindingKey: name, PrefetchCount: 1},
	}
	b, source := NewBroker(cnf).(*broker), NewSource(cnf)
	worker := b.workers.Start(lifecycle.Name{Tag: name, Queue: name})
	c := newConsumer(b, worker, name, 1, &adaptertest.Processor{})
	t.Cleanup(func() {
		connection, err := amqp.Dial(cnf.Broker)
		require.NoError(t, err)
		channel, err := connection.Channel()
		require.NoError(t, err)
		for _, suffix := range []string{"", redeliveredSuffix, pauseSuffix, "-lost"} {
			_, err := channel.QueueDelete(name+suffix, false, false, false)
			require.NoError(t, err)
		}
		require.NoError(t, channel.ExchangeDelete(name, false, false))
		require.NoError(t, connection.Close())
		c.pauses.close()
		worker.End()
		require.NoError(t, b.Close())
		require.NoError(t, source.(io.Closer).Close())
	})
	return c, b, source
}

// A message that RabbitMQ has delivered on a channel, and that nobody got, stays with the channel.
func TestPauseEndsTheChannelWhenNothingIsLeftToAcknowledgeOnIt(t *testing.T) {
	t.Parallel()
	c, _, source := newPausable(t)
	s, err := c.open()
	require.NoError(t, err)
	lostQueue := c.queue + "-lost"
	_, err = s.channel.QueueDeclare(lostQueue, false, true, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, s.channel.Publish("", lostQueue, true, false, amqp.Publishing{}))
	adaptertest.Eventually(t, func() bool {
		_, got, err := s.channel.Get(lostQueue, false)
		require.NoError(t, err)
		return got
	})

	release := make(chan struct{})
	c.background(s.received(c.queue, amqp.Delivery{}), func() { <-release })
	require.NoError(t, source.Pause(t.Context(), c.queue))
	require.NoError(t, c.pauses.look())
	reason := c.consume(s)
	require.ErrorIs(t, reason, errPaused)
	next := c.after(s, reason)
	defer c.conn.close(t.Context(), next.channel)
	lost := func() int {
		found, err := next.channel.QueueDeclarePassive(lostQueue, false, true, false, false, nil)
		require.NoError(t, err)
		return found.Messages
	}
	for range 20 { // round trips, in any of which the channel could end
		require.Zero(t, lost(), "what runs is still to be acknowledged")
	}
	require.False(t, s.channel.IsClosed())
	close(release)
	adaptertest.Eventually(t, func() bool { return lost() == 1 })
	c.tasks.Wait()
	require.True(t, s.channel.IsClosed())
}

// Pause waits for those who consume the queue. One that begins to just then is not among them.
func TestPauseThatBeginsBeforeAWorkerConsumesHoldsForIt(t *testing.T) {
	t.Parallel()
	c, b, source := newPausable(t)
	s, err := c.open()
	require.NoError(t, err)
	require.NoError(t, c.cancel(s))
	require.NoError(t, source.Pause(t.Context(), c.queue))
	require.NoError(t, b.Publish(t.Context(), &tasks.Signature{UUID: "a", Name: "add"}))
	require.NoError(t, c.subscribeTo(s))
	require.False(t, c.handOut(s))
	require.ErrorIs(t, c.consume(s), errPaused)
	c.conn.close(t.Context(), s.channel)
}

// What was found before a connection was lost may hold no more.
func TestWorkerThatComesBackConsumesNoQueueThatWasPausedMeanwhile(t *testing.T) {
	t.Parallel()
	c, _, source := newPausable(t)
	s, err := c.open()
	require.NoError(t, err)
	require.NotNil(t, s.first)
	c.conn.close(t.Context(), s.channel)
	require.NoError(t, source.Pause(t.Context(), c.queue))
	s, err = c.open()
	require.NoError(t, err)
	require.Nil(t, s.first)
	c.conn.close(t.Context(), s.channel)
}
