package duequeue

import (
	"crypto/rand"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// A test may end while RabbitMQ makes the queue.
func TestQueueThatIsJustBeingMadeIsTheEndOfNoOther(t *testing.T) {
	url := services.AMQP(t)
	var deleting sync.WaitGroup
	for range 16 {
		deleting.Go(func() {
			connection, err := amqp.Dial(url)
			if !assert.NoError(t, err) {
				return
			}
			defer connection.Close()
			for range 3 {
				exchange := "test-" + rand.Text()
				declareWithoutWaiting(t, connection, exchange+suffix)
				for !exists(t, connection, exchange+suffix) {
				}
				Delete(t, connection, exchange)
				assert.False(t, exists(t, connection, exchange+suffix))
			}
		})
	}
	deleting.Wait()
}

func TestQueueThatIsNotThereNeedNotBeDeleted(t *testing.T) {
	connection, err := amqp.Dial(services.AMQP(t))
	require.NoError(t, err)
	defer connection.Close()
	Delete(t, connection, "test-"+rand.Text())
}

func declareWithoutWaiting(t *testing.T, connection *amqp.Connection, queue string) {
	t.Helper()
	_, err := open(t, connection).QueueDeclare(queue, true, false, false, true, amqp.Table{
		amqp.QueueTypeArg:        amqp.QueueTypeQuorum,
		"x-message-ttl":          2000,
		"x-dead-letter-exchange": directExchange,
		"x-dead-letter-strategy": "at-least-once",
		"x-overflow":             "reject-publish",
	})
	assert.NoError(t, err)
}
