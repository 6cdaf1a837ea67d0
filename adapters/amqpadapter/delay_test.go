package amqpadapter_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func TestShortestDelaysAllArrive(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, rabbitMQ(t))
	var seen journal
	work(t, broker, 8, &processor{Func: seen.Add})
	const many = 200
	var want []string
	for i := range many {
		publish(t, broker, delayed(fmt.Sprint(i), time.Duration(1+i%20)*time.Millisecond))
		want = append(want, fmt.Sprint(i))
	}
	seen.Await(t, want...)
}

func TestDelayedTasksOfATopicExchangeKeepTheirRoutingKey(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	cnf.AMQP.ExchangeType, cnf.AMQP.BindingKey = "topic", "orders.*"
	broker := newBroker(t, cnf)
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	s := delayed("a", 50*time.Millisecond)
	s.RoutingKey = "orders.new"
	publish(t, broker, s)
	seen.Await(t, "a")
	require.Equal(t, "orders.new", seen.Tasks()[0].RoutingKey)
}

func TestAnyNumberOfDelaysNeedsFewQueues(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	for i := range 300 {
		publish(t, broker, delayed("a", time.Duration(i*i*i)*time.Millisecond))
	}
	channel := dial(t, cnf.Broker)
	for level := range 25 { // of 300³ ms
		_, err := channel.QueueDeclarePassive(fmt.Sprint("machinery.delayed.", level), true, false, false, false, nil)
		require.NoError(t, err)
	}
}

func TestTaskThatComesBeforeItsETAIsDelayedAgain(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	var seen journal
	arrived := make(chan time.Time, 1)
	work(t, broker, 1, &processor{Func: func(s *tasks.Signature) error {
		arrived <- time.Now()
		return seen.Add(s)
	}})
	eventually(t, func() bool { return consumersOf(t, cnf, cnf.DefaultQueue) == 1 })
	eta := time.Now().Add(500 * time.Millisecond)
	sendRaw(t, cnf, fmt.Sprintf(`{"Name":"add","UUID":"a","ETA":%q}`, eta.Format(time.RFC3339Nano)))
	seen.Await(t, "a")
	require.False(t, (<-arrived).Before(eta))
}

func TestDelaysBeyondThoseOfRabbitMQAreTaken(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	publish(t, newBroker(t, cnf), delayed("years", 20*365*24*time.Hour))
	require.Zero(t, waiting(t, cnf, cnf.DefaultQueue))
}

func TestDelayedTasksAreConfirmed(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	cnf.AMQP.ExchangeType, cnf.AMQP.BindingKey = "topic", "orders.*"
	network := proxy(t, cnf)
	broker := newBroker(t, network.cnf, amqpadapter.WithPublishTimeout(300*time.Millisecond))
	s := delayed("a", time.Second)
	s.RoutingKey = "orders.new"
	publishAtLast(t, broker, s)
	network.Hold()
	require.ErrorIs(t, broker.Publish(t.Context(), s), amqpadapter.ErrNotConfirmed)
}

func TestConfiguredDelayedQueueIsMachinerys(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	cnf.AMQP.DelayedQueue = delayedQueueOf(cnf)
	broker := newBroker(t, cnf)
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	publish(t, broker, delayed("a", 100*time.Millisecond))
	seen.Await(t, "a")
	publish(t, broker, delayed("hour", time.Hour))
	require.Equal(t, 1, waiting(t, cnf, cnf.AMQP.DelayedQueue))

	// The queue sends all it has to one routing key.
	custom := delayed("b", time.Second)
	custom.RoutingKey = customQueueOf(cnf)
	err := broker.Publish(t.Context(), custom)
	var refused *amqp.Error
	require.ErrorAs(t, err, &refused)
	require.ErrorContains(t, err, custom.RoutingKey)
	require.True(t, strings.Contains(err.Error(), cnf.AMQP.DelayedQueue))
}

// A task that is retried goes through the delay queues again and again, which RabbitMQ must not take for a circle.
func TestTaskMayBeDelayedTimeAndAgain(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, rabbitMQ(t), amqpadapter.WithBackoff(3*time.Millisecond, 3*time.Millisecond), amqpadapter.WithMaxAttempts(20))
	var seen journal
	work(t, broker, 1, &processor{Func: func(s *tasks.Signature) error {
		_ = seen.Add(s)
		if len(seen.UUIDs()) < 15 {
			return fmt.Errorf("again")
		}
		return nil
	}})
	publish(t, broker, delayed("a", 3*time.Millisecond))
	eventually(t, func() bool { return len(seen.UUIDs()) == 15 })
}

// A frame has room for what was sent, and none for what a message gets on its way.
func TestDueMessageThatIsTooLargeGoesToTheDeadLettersOfTheBrokerOnAnotherRabbitMQ(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	letters := newDeadLetters(t, rabbitMQAt(t, services.QuorumAMQP(t)))
	broker := newBroker(t, cnf, amqpadapter.WithDeadLetters(letters))
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	due := cnf.AMQP.Exchange + ".due"
	// What is due waits two seconds for a forwarder; then RabbitMQ brings it on itself.
	eventually(t, func() bool { return consumersOf(t, cnf, due) == 1 })
	require.NoError(t, dial(t, cnf.Broker).Publish("", due, true, false, amqp.Publishing{
		Headers: amqp.Table{"large": strings.Repeat("x", 125_000), "machinery-delay-queue": cnf.DefaultQueue},
		Body:    []byte(`{"Name":"add","UUID":"a"}`),
	}))
	eventually(t, func() bool { return count(t, letters) == 1 })
	require.Equal(t, "a", list(t, letters)[0].UUID)
}
