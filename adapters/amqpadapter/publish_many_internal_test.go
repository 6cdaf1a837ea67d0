package amqpadapter

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

func TestPublishManySendsPastAQueueThatConfirmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newFakePublisher(t)
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

func TestPublishManyTakesNoLongerThanItsTimeoutAndSendsWhatIsNotConfirmedOnce(t *testing.T) {
	for name, c := range map[string]struct{ deadline, took time.Duration }{
		"timeout":  {time.Hour, time.Minute},
		"deadline": {10 * time.Second, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, rabbitMQ := newFakePublisher(t)
				ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
				defer cancel()
				began := time.Now()
				errs := p.publishMany(ctx, []message{
					{routingKey: "well"}, {routingKey: "silent"}, {routingKey: "well"}, {routingKey: "full"},
				})
				require.Equal(t, c.took, time.Since(began))
				require.NoError(t, errs[0])
				require.NoError(t, errs[2])
				for _, i := range []int{1, 3} {
					require.ErrorIs(t, errs[i], ErrNotConfirmed)
					require.ErrorIs(t, errs[i], context.DeadlineExceeded)
				}
				sent, _ := rabbitMQ.counts("silent")
				require.Equal(t, 1, sent)
				require.NoError(t, p.close())
			})
		})
	}
}

// What a channel was closed for may be any of its messages: one that there was no time to send alone was not confirmed.
func TestPublishManyTakesNoMessageForRefusedThatMayNotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newFakePublisher(t)
		errs := p.publishMany(t.Context(), []message{{routingKey: "silent"}, {routingKey: "gone"}})
		require.ErrorIs(t, errs[0], ErrNotConfirmed)
		require.ErrorIs(t, errs[1], ErrNotConfirmed)
		var reason *amqp.Error
		require.ErrorAs(t, errs[1], &reason)
		require.Equal(t, amqp.NotFound, reason.Code)
		require.NoError(t, p.close())
	})
}

func TestPublishManySendsNothingBehindABatchThatHasTakenItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newFakePublisher(t)
		batch := append([]message{{routingKey: "silent"}}, slices.Repeat([]message{{routingKey: "well"}}, maxBatch)...)
		errs := p.publishMany(t.Context(), batch)
		for _, err := range errs[1:maxBatch] {
			require.NoError(t, err)
		}
		require.ErrorIs(t, errs[maxBatch], ErrNotConfirmed)
		sent, _ := rabbitMQ.counts("well")
		require.Equal(t, maxBatch-1, sent)
		require.NoError(t, p.close())
	})
}
