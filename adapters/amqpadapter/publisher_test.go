package amqpadapter

import (
	"os"
	"sync"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// RabbitMQ closes the channel, which other messages are on, for a message that it refuses, such as one longer than its
// max_message_size (16 MiB by default). A wrong user is refused likewise.
func TestMessageThatRabbitMQRefusesFailsAlone(t *testing.T) {
	url := os.Getenv("AMQP_URL")
	if url == "" {
		require.NotEqual(t, "true", os.Getenv("CI"), "AMQP_URL is not set: CI must test on a real RabbitMQ")
		t.Skip("AMQP_URL is not set: no RabbitMQ to test on")
	}
	publisher := newPublisher(endpoint{urls: []string{url}}, defaultPublishTimeout)
	defer func() { require.NoError(t, publisher.close()) }()
	queue := "refused-" + t.Name()
	good := message{routingKey: queue, needs: []declaration{durableQueue(queue)}}
	bad := message{routingKey: queue, Publishing: amqp.Publishing{UserId: "somebody else"}}
	defer func() {
		require.NoError(t, publisher.use(t.Context(), func(channel *amqp.Channel) error {
			_, err := channel.QueueDelete(queue, false, false, false)
			return err
		}))
	}()
	require.NoError(t, publisher.publish(t.Context(), good))

	var others sync.WaitGroup
	var done atomic.Bool
	for range 4 {
		others.Go(func() {
			for !done.Load() {
				assert.NoError(t, publisher.publish(t.Context(), good))
			}
		})
	}
	for range 20 {
		assert.ErrorContains(t, publisher.publish(t.Context(), bad), "PRECONDITION_FAILED")
	}
	done.Store(true)
	others.Wait()
}
