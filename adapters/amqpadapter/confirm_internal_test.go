package amqpadapter

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newSilent returns a publisher with a timeout of a minute, whose RabbitMQ neither confirms nor refuses what is sent to
// "silent".
func newSilent(t *testing.T) (*publisher, *fakeRabbitMQ) {
	rabbitMQ := &fakeRabbitMQ{silent: "silent"}
	p := newPublisher(endpoint{}, time.Minute)
	p.conn.Store(newPublishConn(rabbitMQ.connect(t)))
	return p, rabbitMQ
}

func TestQueueThatConfirmsNothingHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newSilent(t)
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
		p, _ := newSilent(t)
		c, err := p.conn.Load().channel(t.Context())
		require.NoError(t, err)
		for range maxOutstanding {
			require.NoError(t, c.takeSlot(t.Context()))
		}
		began := time.Now()
		for err := context.DeadlineExceeded; err != nil; {
			ctx, cancel := context.WithTimeout(t.Context(), stalledAfter/5)
			err = p.publish(ctx, message{routingKey: "well"})
			cancel()
		}
		require.Less(t, time.Since(began), stalledAfter+time.Second)
		for range maxOutstanding {
			c.freeSlot()
		}
		require.NoError(t, p.close())
	})
}

func TestMessagesThatNobodyWaitsForDoNotKeepAChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newSilent(t)
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

func TestPublishManySendsPastAQueueThatConfirmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newSilent(t)
		batch := slices.Repeat([]message{{routingKey: "silent"}}, maxOutstanding)
		batch = append(batch, slices.Repeat([]message{{routingKey: "well"}}, 10)...)
		for i, err := range p.publishMany(t.Context(), batch) {
			if i < maxOutstanding {
				require.ErrorIs(t, err, ErrNotConfirmed)
				continue
			}
			require.NoError(t, err)
		}
		sent, _ := rabbitMQ.counts("well")
		require.Equal(t, 10, sent)
		require.NoError(t, p.close())
	})
}

// In an alarm RabbitMQ confirms nothing either, and another channel would only hold more.
func TestMessagesThatWaitForTheEndOfAnAlarmOpenNoChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newSilent(t)
		reason := "low on memory"
		p.conn.Load().blocked.Store(&reason)
		var waiting sync.WaitGroup
		for range 2 * maxOutstanding {
			waiting.Go(func() {
				assert.ErrorIs(t, p.publish(t.Context(), message{routingKey: "silent"}), errBlocked)
			})
		}
		waiting.Wait()
		sent, closed := rabbitMQ.counts("silent")
		require.Equal(t, maxOutstanding, sent)
		require.Zero(t, closed)
		require.NoError(t, p.close())
	})
}

func TestMessagesWaitForAChannelOnWhichSomeAreConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newSilent(t)
		c, err := p.conn.Load().channel(t.Context())
		require.NoError(t, err)
		for range maxOutstanding {
			require.NoError(t, c.takeSlot(t.Context()))
		}
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

func TestPublishManyTakesNoLongerThanItsTimeoutAndSendsWhatIsNotConfirmedOnce(t *testing.T) {
	for name, c := range map[string]struct{ deadline, took time.Duration }{
		"timeout":  {time.Hour, time.Minute},
		"deadline": {10 * time.Second, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, rabbitMQ := newSilent(t)
				ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
				defer cancel()
				began := time.Now()
				errs := p.publishMany(ctx, []message{{routingKey: "well"}, {routingKey: "silent"}, {routingKey: "well"}})
				require.Equal(t, c.took, time.Since(began))
				require.NoError(t, errs[0])
				require.NoError(t, errs[2])
				require.ErrorIs(t, errs[1], ErrNotConfirmed)
				require.ErrorIs(t, errs[1], context.DeadlineExceeded)
				sent, _ := rabbitMQ.counts("silent")
				require.Equal(t, 1, sent)
				require.NoError(t, p.close())
			})
		})
	}
}

func TestPendingTasksEndWhereRabbitMQFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newSilent(t)
		rabbitMQ.ignore(queueDeclare)
		b := &broker{settings: settings{publishTimeout: time.Minute}, publisher: p}
		began := time.Now()
		_, err := b.GetPendingTasks("queue")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(began))
		rabbitMQ.recover()
		require.NoError(t, p.close())
	})
}
