package amqpadapter_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
)

// Whoever may send to a work queue must not reach other queues through the workers.
func TestHeadersOfAMessageSendNoCopyOfItElsewhere(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	channel := dial(t, cnf.Broker)
	other, err := channel.QueueDeclare("", false, true, true, false, nil)
	require.NoError(t, err)
	broker := newBroker(t, cnf, quickly)
	publish(t, broker, task("add", "first")) // declares the queue
	for _, body := range []string{`[1]`, `{"Name":"unknown","UUID":"u"}`} {
		require.NoError(t, channel.Publish("", cnf.DefaultQueue, false, false, amqp.Publishing{
			Body: []byte(body),
			Headers: amqp.Table{
				"CC": []any{cnf.DefaultQueue + ".x"}, amqpadapter.DeathQueueHeader: other.Name,
				"machinery-delay-queue": other.Name, amqpadapter.DeathExchangeHeader: "elsewhere",
			},
		}))
	}
	eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue) == 3 })
	var seen journal
	work(t, broker, 2, &processor{Func: seen.Add})
	eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue+".dead") == 1 })
	seen.Await(t, "first")
	d, _, err := channel.Get(cnf.DefaultQueue+".dead", true)
	require.NoError(t, err)
	require.NotContains(t, d.Headers, "CC")
	require.NotContains(t, d.Headers, "machinery-delay-queue")
	require.Equal(t, cnf.DefaultQueue, d.Headers[amqpadapter.DeathQueueHeader])
	require.NotContains(t, d.Headers, amqpadapter.DeathExchangeHeader)
	copies, err := channel.QueueDeclarePassive(other.Name, false, true, true, false, nil)
	require.NoError(t, err)
	require.Zero(t, copies.Messages)
}

// Whoever may send to the dead letters must not reach other queues through Replay.
func TestReplayGoesToNoQueueOfOthers(t *testing.T) {
	t.Parallel()
	for kind, key := range map[string]string{"direct": "key", "topic": "#"} {
		cnf := rabbitMQ(t)
		cnf.AMQP.ExchangeType, cnf.AMQP.BindingKey = kind, key
		channel := dial(t, cnf.Broker)
		other, err := channel.QueueDeclare("", false, true, true, false, nil)
		require.NoError(t, err)
		dead, err := amqpadapter.NewDeadLettersOf(t.Context(), cnf, cnf.DefaultQueue+".dead")
		require.NoError(t, err)
		defer dead.Close()
		publish(t, newBroker(t, cnf), task("add", "first")) // declares the exchange
		for _, headers := range []amqp.Table{
			{"envelope-death-id": "x", amqpadapter.DeathQueueHeader: other.Name},
			{"envelope-death-id": "x", amqpadapter.DeathRoutingKeyHeader: other.Name},
			{"envelope-death-id": "x", amqpadapter.DeathRoutingKeyHeader: other.Name, amqpadapter.DeathExchangeHeader: "amq.direct"},
			{"x-death": []any{amqp.Table{"queue": other.Name, "reason": "rejected"}}},
		} {
			letter := amqp.Publishing{Body: []byte(`{"Name":"add","UUID":"a"}`), Headers: headers}
			require.NoError(t, channel.Publish("", cnf.DefaultQueue+".dead", false, false, letter))
			eventually(t, func() bool { return count(t, dead) == 1 })
			_, err := dead.ReplayAll(t.Context())
			require.ErrorIs(t, err, deadletter.ErrUnknownQueue)
			n, err := dead.DropAll(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		left, err := channel.QueueDeclarePassive(other.Name, false, true, true, false, nil)
		require.NoError(t, err)
		require.Zero(t, left.Messages)
	}
}

func TestTaskHeadersThatRouteAreNotSent(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	s := task("add", "a")
	s.Headers = map[string]any{"CC": []any{"other"}, "BCC": []any{"other"}, "x-death": "x", "kept": "y"}
	publish(t, newBroker(t, cnf), s)
	eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue) == 1 })
	d, _, err := dial(t, cnf.Broker).Get(cnf.DefaultQueue, true)
	require.NoError(t, err)
	require.Equal(t, amqp.Table{"kept": "y"}, d.Headers)
}
