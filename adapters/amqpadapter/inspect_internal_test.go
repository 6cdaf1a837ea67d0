package amqpadapter

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPendingTasksEndWhereRabbitMQFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rabbitMQ := newFakePublisher(t)
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

func TestPendingTasksOfALongQueueAreListedHoweverLongThatTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 10
		p, rabbitMQ := newFakePublisher(t)
		rabbitMQ.queued = slices.Repeat([][]byte{[]byte(`{"UUID":"a","Name":"add"}`)}, many)
		rabbitMQ.slow = 20 * time.Second
		b := &broker{settings: settings{publishTimeout: time.Minute, maxMessage: 1000}, publisher: p}
		pending, err := b.GetPendingTasks("queue")
		require.NoError(t, err)
		require.Len(t, pending, many)
		require.NoError(t, p.close())
	})
}
