package amqpadapter

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newFakePublisher returns a publisher with a timeout of a minute.
func newFakePublisher(t *testing.T) (*publisher, *fakeRabbitMQ) {
	rabbitMQ := new(fakeRabbitMQ)
	p := newPublisher(&endpoint{}, time.Minute)
	p.conn.Store(newPublishConn(rabbitMQ.connect(t)))
	return p, rabbitMQ
}

// newFull returns a publisher with a channel on which all slots are taken.
func newFull(t *testing.T) (*publisher, *confirmChannel) {
	p, _ := newFakePublisher(t)
	c, err := p.conn.Load().channel(t.Context())
	require.NoError(t, err)
	for range maxOutstanding {
		require.NoError(t, c.takeSlot(t.Context()))
	}
	return p, c
}

func TestQueueThatConfirmsNothingHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newFakePublisher(t)
		var silent sync.WaitGroup
		for range maxOutstanding {
			silent.Go(func() {
				assert.ErrorIs(t, p.publish(t.Context(), message{routingKey: "silent"}), ErrNotConfirmed)
			})
		}
		synctest.Wait()
		began := time.Now()
		for range 2 {
			require.NoError(t, p.publish(t.Context(), message{routingKey: "well"}))
		}
		require.Less(t, time.Since(began), 2*stalledAfter)
		_, closed := rabbitMQ.counts("silent")
		require.Zero(t, closed, "confirmations may still come")
		silent.Wait()
		synctest.Wait()
		_, closed = rabbitMQ.counts("silent")
		require.Equal(t, 1, closed, "nobody waits for them any more")
		require.NoError(t, p.close())
	})
}

func TestStallIsFoundWhereNobodyWaitsAsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := newFull(t)
		const each = stalledAfter / 5
		failures := 0
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), each)
			if p.publish(ctx, message{routingKey: "well"}) != nil {
				failures++
			}
			cancel()
		}
		require.LessOrEqual(t, failures, int(stalledAfter/each))
		for range maxOutstanding {
			c.freeSlot()
		}
		require.NoError(t, p.close())
	})
}

func TestMessagesThatNobodyWaitsForDoNotKeepAChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newFakePublisher(t)
		send := func(many int) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for range many {
				go func() { _ = p.publish(ctx, message{routingKey: "silent"}) }()
			}
			<-ctx.Done()
			synctest.Wait()
		}
		send(maxAbandoned)
		_, closed := rabbitMQ.counts("silent")
		require.Zero(t, closed)
		send(1)
		_, closed = rabbitMQ.counts("silent")
		require.Equal(t, 1, closed)
		require.NoError(t, p.publish(t.Context(), message{routingKey: "well"}))
		require.NoError(t, p.close())
	})
}

func TestMessagesConfirmedLateKeepTheirChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newFakePublisher(t)
		for range 3 {
			rabbitMQ.ignore(basicPublish)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			for range maxAbandoned {
				go func() { _ = p.publish(ctx, message{routingKey: "well"}) }()
			}
			<-ctx.Done()
			cancel()
			synctest.Wait()
			rabbitMQ.recover()
			synctest.Wait()
		}
		sent, closed := rabbitMQ.counts("well")
		require.Equal(t, 3*maxAbandoned, sent)
		require.Zero(t, closed)
		require.NoError(t, p.close())
	})
}

// In an alarm RabbitMQ confirms nothing either, and another channel would only hold more.
func TestMessagesThatWaitForTheEndOfAnAlarmOpenNoChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newFakePublisher(t)
		var waiting sync.WaitGroup
		for range 2 * maxOutstanding {
			waiting.Go(func() {
				assert.ErrorIs(t, p.publish(t.Context(), message{routingKey: "silent"}), errBlocked)
			})
		}
		synctest.Wait()
		rabbitMQ.alarm("low on memory")
		waiting.Wait()
		sent, closed := rabbitMQ.counts("silent")
		require.Equal(t, maxOutstanding, sent)
		require.Zero(t, closed)
		require.NoError(t, p.close())
	})
}

// RabbitMQ takes at the end of an alarm what was written before: each attempt to send a message would be one more of it.
func TestNothingIsSentInAnAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newFakePublisher(t)
		rabbitMQ.alarm("low on memory")
		rabbitMQ.ignore(channelOpen) // as RabbitMQ does, which reads nothing
		synctest.Wait()
		for _, m := range []message{{routingKey: "well"}, large("well")} {
			require.ErrorIs(t, p.publish(t.Context(), m), errBlocked)
			require.ErrorIs(t, p.publishMany(t.Context(), []message{m})[0], ErrNotConfirmed)
		}
		require.Empty(t, p.conn.Load().alone, "those that gave up keep no other from a channel")
		rabbitMQ.alarm("")
		rabbitMQ.recover()
		synctest.Wait()
		sent, _ := rabbitMQ.counts("well")
		require.Zero(t, sent)

		rabbitMQ.alarm("low on memory")
		synctest.Wait()
		var waiting sync.WaitGroup
		waiting.Go(func() { assert.NoError(t, p.publish(t.Context(), message{routingKey: "well"})) })
		synctest.Wait()
		rabbitMQ.alarm("")
		waiting.Wait()

		rabbitMQ.alarm("low on disk")
		synctest.Wait()
		conn := p.conn.Load()
		waiting.Go(func() { assert.Error(t, conn.publish(t.Context(), message{routingKey: "well"})) })
		synctest.Wait()
		require.NoError(t, p.close())
		waiting.Wait()
	})
}

func TestMessagesWaitForAChannelOnWhichSomeAreConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := newFull(t)
		const many = 10
		var waiting sync.WaitGroup
		for range many {
			waiting.Go(func() { assert.NoError(t, c.takeSlot(t.Context())) })
		}
		for range many {
			time.Sleep(stalledAfter * 4 / 5)
			c.freeSlot()
		}
		waiting.Wait()
		require.NoError(t, p.close())
	})
}
