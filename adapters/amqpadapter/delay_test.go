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
)

func TestDelayedTaskWaitsForItsETA(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	early := make(chan time.Duration, 10)
	var seen journal
	work(t, broker, 4, &processor{process: func(s *tasks.Signature) error {
		if left := time.Until(*s.ETA); left > 0 {
			early <- left
		}
		return seen.add(s)
	}})
	publish(t, broker, delayed("hour", time.Hour), delayed("second", time.Second),
		delayed("soon", 300*time.Millisecond), delayed("past", -time.Hour))
	seen.awaits(t, "past", "soon", "second")
	require.Equal(t, []string{"past", "soon", "second"}, seen.uuids())
	require.Empty(t, early)
}

func TestShortestDelaysAllArrive(t *testing.T) {
	broker := newBroker(t, rabbitMQ(t))
	var seen journal
	work(t, broker, 8, &processor{process: seen.add})
	const many = 200
	var want []string
	for i := range many {
		publish(t, broker, delayed(fmt.Sprint(i), time.Duration(1+i%20)*time.Millisecond))
		want = append(want, fmt.Sprint(i))
	}
	seen.awaits(t, want...)
}

func TestDelayedTaskGoesToItsOwnQueue(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	var seen, customSeen journal
	work(t, broker, 1, &processor{process: seen.add})
	work(t, broker, 1, &processor{process: customSeen.add, queue: customQueueOf(cnf)})
	custom := delayed("a", glance)
	custom.RoutingKey = customQueueOf(cnf)
	publish(t, broker, custom)
	customSeen.awaits(t, "a")
	require.Empty(t, seen.uuids())
}

func TestDelayedTasksOfATopicExchangeKeepTheirRoutingKey(t *testing.T) {
	cnf := rabbitMQ(t)
	cnf.AMQP.ExchangeType, cnf.AMQP.BindingKey = "topic", "orders.*"
	broker := newBroker(t, cnf)
	var seen journal
	work(t, broker, 1, &processor{process: seen.add})
	s := delayed("a", 50*time.Millisecond)
	s.RoutingKey = "orders.new"
	publish(t, broker, s)
	seen.awaits(t, "a")
	require.Equal(t, "orders.new", seen.signatures()[0].RoutingKey)
}

func TestAnyNumberOfDelaysNeedsFewQueues(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	for i := range 300 {
		publish(t, broker, delayed("a", time.Duration(i*i*i)*time.Millisecond))
	}
	channel := dial(t, cnf.Broker)
	for level := range 25 { // of 300³ ms
		_, err := channel.QueueDeclarePassive(fmt.Sprint("machinery.delay.", level), true, false, false, false, nil)
		require.NoError(t, err)
	}
}

func TestTaskThatComesBeforeItsETAIsDelayedAgain(t *testing.T) {
	cnf := rabbitMQ(t)
	broker := newBroker(t, cnf)
	var seen journal
	arrived := make(chan time.Time, 1)
	work(t, broker, 1, &processor{process: func(s *tasks.Signature) error {
		arrived <- time.Now()
		return seen.add(s)
	}})
	eventually(t, func() bool { return consumersOf(t, cnf, cnf.DefaultQueue) == 1 })
	eta := time.Now().Add(500 * time.Millisecond)
	sendRaw(t, cnf, fmt.Sprintf(`{"Name":"add","UUID":"a","ETA":%q}`, eta.Format(time.RFC3339Nano)))
	seen.awaits(t, "a")
	require.False(t, (<-arrived).Before(eta))
}

func TestDelaysBeyondThoseOfRabbitMQAreTaken(t *testing.T) {
	cnf := rabbitMQ(t)
	publish(t, newBroker(t, cnf), delayed("years", 20*365*24*time.Hour))
	require.Zero(t, waiting(t, cnf, cnf.DefaultQueue))
}

func TestDelayedTasksAreConfirmed(t *testing.T) {
	cnf := rabbitMQ(t)
	cnf.AMQP.ExchangeType, cnf.AMQP.BindingKey = "topic", "orders.*"
	wire := proxy(t, cnf)
	broker := newBroker(t, wire.cnf, amqpadapter.WithPublishTimeout(300*time.Millisecond))
	s := delayed("a", time.Second)
	s.RoutingKey = "orders.new"
	publish(t, broker, s)
	wire.hold()
	require.ErrorIs(t, broker.Publish(t.Context(), s), amqpadapter.ErrNotConfirmed)
}

func TestConfiguredDelayedQueueIsMachinerys(t *testing.T) {
	cnf := rabbitMQ(t)
	cnf.AMQP.DelayedQueue = delayedQueueOf(cnf)
	broker := newBroker(t, cnf)
	var seen journal
	work(t, broker, 1, &processor{process: seen.add})
	publish(t, broker, delayed("a", 100*time.Millisecond))
	require.Equal(t, 1, waiting(t, cnf, cnf.AMQP.DelayedQueue))
	seen.awaits(t, "a")

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
	broker := newBroker(t, rabbitMQ(t), amqpadapter.WithPauses(3*time.Millisecond, 3*time.Millisecond), amqpadapter.WithMaxAttempts(20))
	var seen journal
	work(t, broker, 1, &processor{process: func(s *tasks.Signature) error {
		_ = seen.add(s)
		if len(seen.uuids()) < 15 {
			return fmt.Errorf("again")
		}
		return nil
	}})
	publish(t, broker, delayed("a", 3*time.Millisecond))
	eventually(t, func() bool { return len(seen.uuids()) == 15 })
}
