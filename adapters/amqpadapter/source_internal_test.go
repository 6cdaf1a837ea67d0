package amqpadapter

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

func TestDeletionOfATaskIsAnErrorWhereRabbitMQMayNotKnowOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newFakePublisher(t)
		rabbitMQ.queued = [][]byte{[]byte(`{"UUID":"a","Name":"add"}`)}
		s := &source{publisher: p, looking: newMutex()}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		found, err := s.findIn(ctx, "queue", "a", func(task amqp.Delivery) error {
			rabbitMQ.ignore(queueDeclare)
			return task.Ack(false)
		})
		require.True(t, found)
		require.ErrorContains(t, err, "may be there again")
		rabbitMQ.recover()
		synctest.Wait()
		require.NoError(t, p.close())
	})
}
