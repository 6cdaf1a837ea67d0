package amqpadapter_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
)

func TestPublishWaitsForALostRabbitMQOnlySoLong(t *testing.T) {
	t.Parallel()
	network := proxy(t, rabbitMQ(t))
	broker := newBroker(t, network.cnf, amqpadapter.WithPublishTimeout(3*time.Second))
	publishAtLast(t, broker, task("add", "a"))
	network.Interrupt()
	err := broker.Publish(t.Context(), task("add", "b"))
	require.ErrorIs(t, err, amqpadapter.ErrNotConfirmed)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "connect to rabbitmq")
}

// RabbitMQ stops reading from publishers when it is short of memory.
func TestPublishDoesNotHangOnARabbitMQThatReadsNothing(t *testing.T) {
	t.Parallel()
	network := proxy(t, rabbitMQ(t))
	broker := newBroker(t, network.cnf, amqpadapter.WithPublishTimeout(time.Second))
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	publishAtLast(t, broker, task("add", "a"))
	eventually(t, func() bool { return len(seen.UUIDs()) > 0 })
	network.Hold()

	large := tasks.Arg{Type: "string", Value: strings.Repeat("x", 1<<20)}
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if err := broker.Publish(context.Background(), task("add", "b", large)); err == nil {
				t.Error("confirmed what RabbitMQ did not get")
			}
		})
	}
	failed := make(chan struct{})
	go func() {
		defer close(failed)
		group.Wait()
	}()
	adaptertest.Await(t, failed)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, broker.Publish(ctx, task("add", "c")), context.DeadlineExceeded)
	network.Release()
	publishAtLast(t, broker, task("add", "d"))
	eventually(t, func() bool {
		uuids := seen.UUIDs()
		return uuids[len(uuids)-1] == "d"
	})
}

func TestTaskRunsOnceWhenItsAcknowledgementIsLost(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	network := proxy(t, cnf)
	broker := newBroker(t, network.cnf)
	var seen journal
	started, finish := make(chan struct{}, 10), make(chan struct{})
	work(t, broker, 1, &processor{Func: func(s *tasks.Signature) error {
		started <- struct{}{}
		<-finish
		return seen.Add(s)
	}})
	publish(t, broker, task("slow", "a"))
	<-started
	opened := network.Opened()
	network.Cut()
	eventually(t, func() bool { return network.Opened() > opened }) // the worker knows that the connection is lost
	close(finish)
	seen.Await(t, "a")
	publish(t, broker, task("slow", "b"))
	seen.Await(t, "a", "b")
	broker.StopConsuming()
	require.Zero(t, waiting(t, cnf, cnf.DefaultQueue)+waiting(t, cnf, cnf.DefaultQueue+".redelivered"))
}

// RabbitMQ does not confirm an acknowledgement: one that was sent may never have arrived.
func TestTaskRunsOnceWhenItsAcknowledgementIsLostOnTheWay(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	network := proxy(t, cnf)
	broker := newBroker(t, network.cnf)
	var seen journal
	started, finish := make(chan string, 10), make(chan struct{}, 10)
	work(t, broker, 1, &processor{Func: func(s *tasks.Signature) error {
		started <- s.UUID
		<-finish
		return seen.Add(s)
	}})
	publish(t, broker, task("slow", "a"), task("slow", "b"))
	require.Equal(t, "a", adaptertest.Await(t, started))
	network.Hold()
	finish <- struct{}{}
	require.Equal(t, "b", adaptertest.Await(t, started), "the worker has acknowledged the task before")
	network.Cut()
	network.Release()
	close(finish)
	seen.Await(t, "a", "b")
	publish(t, broker, task("slow", "c"))
	seen.Await(t, "a", "b", "c")
	eventually(t, func() bool { return waiting(t, cnf, cnf.DefaultQueue) == 0 })
	broker.StopConsuming()
	require.Zero(t, waiting(t, cnf, cnf.DefaultQueue)+waiting(t, cnf, cnf.DefaultQueue+".redelivered"))
	require.ElementsMatch(t, []string{"a", "b", "c"}, seen.UUIDs())
}

// The client library must not lose the credentials of a URL that is used again.
func TestReconnectingUsesTheCredentialsOfTheURL(t *testing.T) {
	t.Parallel()
	cnf := rabbitMQ(t)
	address, err := url.Parse(cnf.Broker)
	require.NoError(t, err)
	require.NotEmpty(t, address.User.Username())
	network := proxy(t, cnf)
	broker := newBroker(t, network.cnf)
	var seen journal
	work(t, broker, 1, &processor{Func: seen.Add})
	publish(t, broker, task("add", "0"))
	seen.Await(t, "0")
	for i := range 3 {
		opened := network.Opened()
		network.Cut()
		eventually(t, func() bool { return network.Opened() > opened })
		publish(t, broker, task("add", fmt.Sprint(i+1)))
		eventually(t, func() bool { return slices.Contains(seen.UUIDs(), fmt.Sprint(i+1)) })
	}
	require.GreaterOrEqual(t, network.Opened(), 8, "both connections, four times")
}
