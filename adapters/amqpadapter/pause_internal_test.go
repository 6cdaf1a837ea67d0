package amqpadapter

import (
	"crypto/rand"
	"testing"

	"github.com/RichardKnop/machinery/v2/config"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// A message that RabbitMQ has delivered on a channel, and that nobody got, stays with the channel.
func TestPauseEndsTheChannelWhenNothingIsLeftToAcknowledgeOnIt(t *testing.T) {
	t.Parallel()
	name := "test-" + rand.Text()
	b := NewBroker(&config.Config{
		Broker: services.AMQP(t), DefaultQueue: name,
		AMQP: &config.AMQPConfig{Exchange: name, ExchangeType: "direct", BindingKey: name, PrefetchCount: 1},
	}).(*broker)
	worker := b.workers.Start(lifecycle.Name{Tag: name, Queue: name})
	c := newConsumer(b, worker, name, 1, &adaptertest.Processor{})
	s, err := c.open()
	require.NoError(t, err)
	_, err = s.channel.QueueDeclare(name+"-lost", false, true, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, s.channel.Publish("", name+"-lost", true, false, amqp.Publishing{}))
	adaptertest.Eventually(t, func() bool {
		_, got, err := s.channel.Get(name+"-lost", false)
		require.NoError(t, err)
		return got
	})

	release := make(chan struct{})
	c.background(s.received(name, amqp.Delivery{}), func() { <-release })
	c.pauses.note(1)
	reason := c.consume(s)
	require.ErrorIs(t, reason, errPaused)
	next := c.after(s, reason)
	lost := func() int {
		found, err := next.channel.QueueDeclarePassive(name+"-lost", false, true, false, false, nil)
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

	for _, queue := range []string{name, name + redeliveredSuffix, name + pauseSuffix, name + "-lost"} {
		_, err := next.channel.QueueDelete(queue, false, false, false)
		require.NoError(t, err)
	}
	require.NoError(t, next.channel.ExchangeDelete(name, false, false))
	c.pauses.close()
	c.conn.close(next.channel)
	worker.End()
	require.NoError(t, b.Close())
}
