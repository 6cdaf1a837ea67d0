package amqpadapter

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// newFakeLetters are letters in the queue of a fake RabbitMQ, which takes it for a quorum queue.
func newFakeLetters(t *testing.T, queue string, many int) (*DeadLetters, *fakeRabbitMQ) {
	t.Helper()
	p, rabbitMQ := newFakePublisher(t)
	for i := range many {
		rabbitMQ.queued = append(rabbitMQ.queued, fmt.Appendf(nil, `{"UUID":"%d","Name":"add"}`, i))
	}
	p.conn.Load().types.Store(queue, amqp.QueueTypeQuorum)
	return newDeadLetters(p, queue), rabbitMQ
}

func TestLookAtLettersWaitsNotForEverForARabbitMQThatFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rabbitMQ := newFakeLetters(t, "dead", 3)
		rabbitMQ.ignore(basicGet)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := d.list(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second+d.queue.publisher.deadlines.timeout, time.Since(began))
		rabbitMQ.recover()
		synctest.Wait()
		require.NoError(t, d.Close())
	})
}

func TestRemovalIsAnErrorWhereRabbitMQMayNotKnowOfIt(t *testing.T) {
	for name, remove := range map[string]bool{"removed": true, "only looked at": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, rabbitMQ := newFakeLetters(t, "dead", 2)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err := d.find(ctx, idOf(amqp.Delivery{Body: rabbitMQ.queued[0]}), func(letter amqp.Delivery) error {
					rabbitMQ.ignore(queueDeclare)
					if !remove {
						return nil
					}
					return letter.Ack(false)
				})
				if remove {
					require.ErrorIs(t, err, context.DeadlineExceeded)
					require.ErrorContains(t, err, "may be there again")
				} else {
					require.NoError(t, err)
				}
				rabbitMQ.recover()
				synctest.Wait()
				require.NoError(t, d.Close())
			})
		})
	}
}

func TestLettersThatCannotBePublishedAnewSpoilNothingForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rabbitMQ := newFakeLetters(t, "full", 3)
		var first amqp.Delivery
		err := d.each(t.Context(), func(letter amqp.Delivery) (more bool, err error) {
			first = letter
			return false, nil
		})
		require.ErrorIs(t, err, errNotPutBack)
		require.ErrorIs(t, err, ErrNotConfirmed)

		rabbitMQ.queued = append(rabbitMQ.queued, first.Body, []byte("another"))
		require.NoError(t, d.Drop(t.Context(), idOf(first)))
		require.NoError(t, d.Close())
	})
}

func TestLookThatIsCutShortPutsBackWhatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rabbitMQ := newFakeLetters(t, "dead", 5)
		rabbitMQ.slow = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		_, err := d.list(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		sent, _ := rabbitMQ.counts("dead")
		require.Equal(t, 3, sent, "two, and the one on its way")
		synctest.Wait()
		require.NoError(t, d.Close())
	})
}

func TestLookEndsWhereTheFirstLettersCannotBePublishedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := newFakeLetters(t, "full", 3*maxOutstanding)
		began := time.Now()
		timeout := d.queue.publisher.deadlines.timeout
		_, err := d.list(t.Context())
		require.ErrorIs(t, err, errNotPutBack)
		require.Less(t, time.Since(began), 2*timeout)
		require.NoError(t, d.Close())
	})
}

func TestLookThatIsCutShortWaitsOnceForARabbitMQThatTakesNothing(t *testing.T) {
	for name, queue := range map[string]string{"silent": "silent", "full": "full"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, rabbitMQ := newFakeLetters(t, queue, 3)
				rabbitMQ.slow = time.Second
				ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
				defer cancel()
				began := time.Now()
				_, err := d.list(ctx)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorIs(t, err, errNotPutBack)
				require.Equal(t, 1500*time.Millisecond+d.queue.publisher.deadlines.timeout, time.Since(began))
				require.NoError(t, d.Close())
			})
		})
	}
}
