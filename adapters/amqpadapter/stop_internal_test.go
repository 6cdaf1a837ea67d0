package amqpadapter

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What a RabbitMQ that is slow has not taken by then is lost with the connection.
func TestStopWaitsUntilRabbitMQHasTakenWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	c, b, _ := newPausable(t)
	s, err := c.open()
	require.NoError(t, err)
	go b.StopConsuming()
	<-c.stopping.Done()
	require.NoError(t, c.consume(s))
	require.True(t, s.channel.IsClosed())
	c.conn.close(s.channel)
}
