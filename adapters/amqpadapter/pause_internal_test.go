package amqpadapter

import (
	"context"
	"crypto/rand"
	"io"
	"testing"
	"time"

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

// hold has RabbitMQ deliver a message on a channel that nobody acknowledges, so that it comes back with the end of the
// channel. The function that it returns tells, on another channel, how many have come back.
func hold(t *testing.T, c *consumer, s *session) (returned func(*session) int) {
	queue := c.queue + "-lost"
	_, err := s.channel.QueueDeclare(queue, false, true, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, s.channel.Publish("", queue, true, false, amqp.Publishing{}))
	adaptertest.Eventually(t, func() bool {
		_, got, err := s.channel.Get(queue, false)
		require.NoError(t, err)
		return got
	})
	return func(other *session) int {
		found, err := other.channel.QueueDeclarePassive(queue, false, true, false, false, nil)
		require.NoError(t, err)
		return found.Messages
	}
}

// requireEndWithTasks requires a session that was replaced by another to end when its tasks have, and not before.
func requireEndWithTasks(t *testing.T, c *consumer, s *session, end func() (next *session)) {
	returned := hold(t, c, s)
	release := make(chan struct{})
	c.background(s.received(c.queue, amqp.Delivery{}), func() { <-release })
	next := end()
	defer c.conn.close(t.Context(), next.channel)
	for range 20 { // round trips, in any of which the channel could end
		require.Zero(t, returned(next), "what runs is still to be acknowledged")
	}
	require.False(t, s.channel.IsClosed())
	close(release)
	adaptertest.Eventually(t, func() bool { return returned(next) == 1 })
	c.tasks.Wait()
	require.True(t, s.channel.IsClosed())
}

// A message that RabbitMQ has delivered on a channel, and that nobody got, stays with the channel.
func TestPauseEndsTheChannelWhenNothingIsLeftToAcknowledgeOnIt(t *testing.T) {
	t.Parallel()
	c, _, source := newPausable(t)
	s, err := c.open()
	require.NoError(t, err)
	requireEndWithTasks(t, c, s, func() *session {
		require.NoError(t, source.Pause(t.Context(), c.queue))
		require.NoError(t, c.pauses.look())
		reason := c.consume(s)
		require.ErrorIs(t, reason, errPaused)
		return c.after(s, reason)
	})
}

func TestDeletedQueueEndsTheChannelWhenNothingIsLeftToAcknowledgeOnIt(t *testing.T) {
	t.Parallel()
	for name, suffix := range map[string]string{"its own": "", "the one beside": redeliveredSuffix} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _, _ := newPausable(t)
			s, err := c.open()
			require.NoError(t, err)
			requireEndWithTasks(t, c, s, func() *session {
				_, err := s.channel.QueueDelete(c.queue+suffix, false, false, false)
				require.NoError(t, err)
				reason := c.consume(s)
				require.ErrorIs(t, reason, errCancelled)
				return c.after(s, reason)
			})
		})
	}
}

func TestPauseIsSeenAfterTheRightToSeeItCameBack(t *testing.T) {
	t.Parallel()
	c, _, source := newPausable(t)
	c.pauses.refused = time.Millisecond
	c.pauses.err = &amqp.Error{Code: amqp.AccessRefused}
	require.True(t, isForbidden(c.pauses.look()))
	ended := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	c.pauses.stopping = ctx
	go func() {
		defer close(ended)
		c.pauses.run()
	}()
	require.NoError(t, source.Pause(t.Context(), c.queue))
	adaptertest.Eventually(t, c.pauses.isPaused)
	stop()
	<-ended
}

// What was only handed out of the other queue is for whoever has room, and did not run.
func TestDeletedQueuePutsBackWhatWasHandedOutOfTheOther(t *testing.T) {
	t.Parallel()
	for name, queues := range map[string]struct {
		deleted, kept string
		of            func(*session) <-chan amqp.Delivery
	}{
		"its own":        {"", redeliveredSuffix, func(s *session) <-chan amqp.Delivery { return s.again }},
		"the one beside": {redeliveredSuffix, "", func(s *session) <-chan amqp.Delivery { return s.first }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _, _ := newPausable(t)
			s, err := c.open()
			require.NoError(t, err)
			require.NoError(t, s.channel.Publish("", c.queue+queues.kept, true, false, amqp.Publishing{}))
			_, err = s.channel.QueueDelete(c.queue+queues.deleted, false, false, false)
			require.NoError(t, err)
			next := c.after(s, errCancelled)
			d := adaptertest.Await(t, queues.of(next))
			require.Equal(t, queues.kept == "", d.Redelivered, "in the queue beside it would count as lost with a worker")
			c.tasks.Wait()
			c.conn.close(t.Context(), next.channel)
		})
	}
}

// That of a worker whose queue was deleted may have tasks of another channel too.
func TestUnboundedWorkerHasRoomForWhatOneChannelIsHandedOut(t *testing.T) {
	t.Parallel()
	b := NewBroker(newInternalConfig()).(*broker)
	worker := b.workers.Start(lifecycle.Name{})
	defer worker.End()
	c := newConsumer(b, worker, "", 0, &adaptertest.Processor{})
	for range 2 * c.prefetch {
		require.True(t, c.acquire(nil))
	}
	enough := make(chan struct{})
	close(enough)
	require.False(t, c.acquire(enough))
}

func TestLostConnectionEndsAChannelThatStillHasTasks(t *testing.T) {
	t.Parallel()
	c, _, _ := newPausable(t)
	conn, channel, network := newHoldable(t)
	c.conn = conn
	s := c.newSession(channel)
	release := make(chan struct{})
	c.background(s.received(c.queue, amqp.Delivery{}), func() { <-release })
	conn.channels++ // newHoldable closes the channel too
	network.Interrupt()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.closeWhenDone(s)
	}()
	adaptertest.Await(t, ended)
	require.Equal(t, 1, conn.channels)
	close(release)
	c.tasks.Wait()
}

// What comes from the queue beside counts as lost with a worker when it comes again.
func TestSubscriptionThatFailsCountsAsNoAttempt(t *testing.T) {
	t.Parallel()
	c, _, _ := newPausable(t)
	s, err := c.open()
	require.NoError(t, err)
	require.NoError(t, c.cancel(s))
	beside := c.queue + redeliveredSuffix
	require.NoError(t, s.channel.Publish("", beside, true, false, amqp.Publishing{}))
	_, err = s.channel.Consume(c.queue, "", false, true, false, false, nil) // nobody else may
	require.NoError(t, err)
	for range 10 {
		_, err = c.open()
		require.ErrorContains(t, err, "ACCESS_REFUSED")
	}
	d, got, err := s.channel.Get(beside, false)
	require.NoError(t, err)
	require.True(t, got)
	require.False(t, d.Redelivered)
	c.conn.close(t.Context(), s.channel)
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
