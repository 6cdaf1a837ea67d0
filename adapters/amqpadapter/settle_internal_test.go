package amqpadapter

import (
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

func TestMessageIsNotKeptOnceItsChannelIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connection := (&fakeRabbitMQ{}).connect(t)
		channel, err := connection.Channel()
		require.NoError(t, err)
		d := received{Delivery: amqp.Delivery{Acknowledger: channel}}
		began := time.Now()
		require.True(t, keptFor(t.Context(), d, time.Minute))
		require.Equal(t, time.Minute, time.Since(began))

		time.AfterFunc(time.Second, func() { _ = channel.Close() })
		require.False(t, keptFor(t.Context(), d, time.Minute), "closed in the pause")
		began = time.Now()
		require.False(t, keptFor(t.Context(), d, time.Minute))
		require.Zero(t, time.Since(began))
		require.NoError(t, connection.hangUp(t.Context()))
	})
}
