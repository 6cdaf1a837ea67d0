package amqpadapter_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
)

// The tests would time out if the stop waited for RabbitMQ: it notices after three minutes that a connection is dead.

func TestStopLeavesATaskThatCannotBePutBackWithRabbitMQ(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	network := proxy(t, cnf)
	broker := newBroker(t, network.cnf,
		amqpadapter.WithStopTimeout(500*time.Millisecond), amqpadapter.WithPublishTimeout(time.Hour))
	latch := adaptertest.NewLatch(t)
	ended := work(t, broker, 1, &processor{Func: func(s *tasks.Signature) error {
		_ = latch.Hold(s)
		return errors.New("to be put back")
	}})
	publish(t, newBroker(t, cnf), task("add", "a"))
	latch.Journal.Await(t, "a")
	network.Hold()
	latch.Release()
	broker.StopConsuming()
	<-ended
	network.Interrupt()
	eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue) == 1 })
}

func TestStopLeavesATaskThatIsDueWithRabbitMQ(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	network := proxy(t, cnf)
	broker := newBroker(t, network.cnf,
		amqpadapter.WithStopTimeout(500*time.Millisecond), amqpadapter.WithPublishTimeout(time.Hour))
	var seen journal
	ended := work(t, broker, 1, &processor{Func: seen.Add})
	due := cnf.AMQP.Exchange + ".due"
	eventually(t, func() bool { return consumersOf(t, cnf, due) == 1 })
	publish(t, newBroker(t, cnf), task("add", "a"))
	seen.Await(t, "a")
	network.Hold()
	channel := dial(t, cnf.Broker)
	require.NoError(t, channel.Confirm(false))
	confirmed, err := channel.PublishWithDeferredConfirm("", due, true, false, amqp.Publishing{
		Headers: amqp.Table{"machinery-delay-queue": cnf.DefaultQueue},
		Body:    []byte(`{"Name":"add","UUID":"b"}`),
	})
	require.NoError(t, err)
	require.True(t, confirmed.Wait())
	eventually(t, func() bool { return waiting(t, cnf, due) == 0 }) // the worker has it
	broker.StopConsuming()
	<-ended
	network.Interrupt()
	work(t, newBroker(t, cnf), 1, &processor{Func: seen.Add})
	// The first comes again where the network was held before its acknowledgement.
	eventually(t, func() bool { return slices.Contains(seen.UUIDs(), "b") })
}

// Else the tasks would run again.
func TestStopSendsTheAcknowledgementThatWaitsForOthers(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	cnf.AMQP.PrefetchCount = 16
	var seen journal
	for _, s := range []*tasks.Signature{task("add", "a"), delayed("b", time.Second), task("add", "c"), delayed("d", time.Second)} {
		broker := newBroker(t, cnf)
		publish(t, broker, s)
		<-work(t, broker, 1, &processor{Func: func(s *tasks.Signature) error {
			go broker.StopConsuming()
			return seen.Add(s)
		}})
	}
	require.Equal(t, []string{"a", "b", "c", "d"}, seen.UUIDs())
	for _, queue := range []string{cnf.DefaultQueue, cnf.DefaultQueue + ".redelivered", cnf.AMQP.Exchange + ".due"} {
		require.Zero(t, waiting(t, cnf, queue), queue)
	}
}

// Those that were only handed out are for other workers at once, however long the last task takes.
func TestStopPutsBackWhatWasOnlyHandedOut(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	broker, other := newBroker(t, cnf), newBroker(t, cnf, amqpadapter.WithMaxAttempts(1))
	latch := adaptertest.NewLatch(t)
	ended := work(t, broker, 1, &processor{Func: latch.Hold})
	publish(t, broker, task("add", "a"))
	latch.Journal.Await(t, "a")
	channel := dial(t, cnf.Broker)
	require.NoError(t, channel.Confirm(false))
	for _, queue := range []string{cnf.DefaultQueue, cnf.DefaultQueue + ".redelivered"} {
		confirmed, err := channel.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{
			Body: fmt.Appendf(nil, `{"Name":"add","UUID":%q}`, queue),
		})
		require.NoError(t, err)
		require.True(t, confirmed.Wait())
		eventually(t, func() bool { return waiting(t, cnf, queue) == 0 })
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		broker.StopConsuming()
	}()
	var seen journal
	work(t, other, 1, &processor{Func: seen.Add})
	seen.Await(t, cnf.DefaultQueue, cnf.DefaultQueue+".redelivered")
	latch.Release()
	adaptertest.Await(t, stopped)
	<-ended
	require.Zero(t, waiting(t, cnf, cnf.DefaultQueue+".dead"))
}

func TestIdleWorkerStopsThoughRabbitMQDoesNotAnswer(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	network := proxy(t, cnf)
	broker := newBroker(t, network.cnf, amqpadapter.WithStopTimeout(500*time.Millisecond))
	var seen journal
	ended := work(t, broker, 1, &processor{Func: seen.Add})
	publish(t, broker, task("add", "a"))
	seen.Await(t, "a")
	network.Hold()
	broker.StopConsuming()
	<-ended
}
