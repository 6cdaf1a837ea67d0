// Package duequeue removes the queues that tests leave in which package amqpadapter keeps the delayed tasks that are due.
package duequeue

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

const (
	suffix = ".due"
	// directExchange is where the due queues send what expires.
	directExchange = "machinery.delayed.direct"
	probeHeader    = "test-probe"

	timeout = 5 * time.Minute
	tick    = 20 * time.Millisecond
)

// Delete deletes the due queue of an exchange, if there is one, once RabbitMQ sends on what expires there. Deleted before,
// it may be the end of all such queues: the process that sends on fails to start, and where that happens twice in five
// seconds, a RabbitMQ 3.10 starts no other until it is restarted itself.
func Delete(t testing.TB, connection *amqp.Connection, exchange string) {
	t.Helper()
	queue := exchange + suffix
	if !exists(t, connection, queue) {
		return
	}
	awaitDeadLettering(t, connection, queue)
	_, err := open(t, connection).QueueDelete(queue, false, false, false)
	require.NoError(t, err)
}

func exists(t testing.TB, connection *amqp.Connection, queue string) bool {
	t.Helper()
	channel := open(t, connection)
	defer channel.Close()
	_, err := channel.QueueDeclarePassive(queue, true, false, false, false, nil)
	return err == nil
}

// awaitDeadLettering sends messages to the queue that expire at once, until one comes out. A queue that is just being made
// takes none.
func awaitDeadLettering(t testing.TB, connection *amqp.Connection, queue string) {
	t.Helper()
	channel := open(t, connection)
	require.NoError(t, channel.ExchangeDeclare(directExchange, amqp.ExchangeHeaders, true, false, false, false, nil))
	classic := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeClassic}
	probes, err := channel.QueueDeclare("", false, true, true, false, classic)
	require.NoError(t, err)
	probed := amqp.Table{"x-match": "all", probeHeader: queue}
	require.NoError(t, channel.QueueBind(probes.Name, "", directExchange, false, probed))
	require.Eventually(t, func() bool {
		probe := amqp.Publishing{Headers: amqp.Table{probeHeader: queue}, Expiration: "1"}
		if err := channel.Publish("", queue, false, false, probe); err != nil {
			return false
		}
		_, came, err := channel.Get(probes.Name, true)
		return err == nil && came
	}, timeout, tick, "what expires in %s goes nowhere", queue)
}

func open(t testing.TB, connection *amqp.Connection) *amqp.Channel {
	t.Helper()
	channel, err := connection.Channel()
	require.NoError(t, err)
	return channel
}
