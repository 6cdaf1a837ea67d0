package amqpadapter_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

func TestLostConnectionsLoseNoTask(t *testing.T) {
	cnf := rabbitMQ(t)
	wire := proxy(t, cnf)
	broker := newBroker(t, wire.cnf)
	var seen journal
	work(t, broker, 4, &processor{process: seen.add})
	const senders, each = 4, 100
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for i := range each {
				if err := broker.Publish(context.Background(), task("add", fmt.Sprint(sender, "-", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for part := range 3 {
		eventually(t, func() bool { return len(seen.uuids()) > part*100 })
		wire.cut()
	}
	group.Wait()
	eventually(t, func() bool {
		unique := make(map[string]bool)
		for _, uuid := range seen.uuids() {
			unique[uuid] = true
		}
		return len(unique) == senders*each
	})
}

func TestOutageIsWaitedOutAndLoggedOnce(t *testing.T) {
	logs := captureLogs()
	cnf := rabbitMQ(t)
	wire := proxy(t, cnf)
	broker := newBroker(t, wire.cnf)
	var seen journal
	work(t, broker, 1, &processor{process: seen.add})
	publish(t, broker, task("add", "a"))
	seen.awaits(t, "a")

	wire.interrupt()
	published := make(chan error, 1)
	go func() { published <- broker.Publish(context.Background(), task("add", "b")) }()
	before := wire.opened()
	require.Never(t, func() bool { return len(published) > 0 || wire.opened() > before }, 3*glance, tick)
	wire.mend()
	require.NoError(t, <-published)
	eventually(t, func() bool { return len(seen.uuids()) >= 2 })
	broker.StopConsuming()
	require.Equal(t, 1, strings.Count(logs.String(), "lost queue"))
	require.Equal(t, 1, strings.Count(logs.String(), "back on queue"))
}

func TestPublishWaitsForALostRabbitMQOnlySoLong(t *testing.T) {
	wire := proxy(t, rabbitMQ(t))
	broker := newBroker(t, wire.cnf, amqpadapter.WithPublishTimeout(300*time.Millisecond))
	publish(t, broker, task("add", "a"))
	wire.interrupt()
	err := broker.Publish(t.Context(), task("add", "b"))
	require.ErrorIs(t, err, amqpadapter.ErrNotConfirmed)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "connect to rabbitmq")
}

// RabbitMQ stops reading from publishers when it is short of memory.
func TestPublishDoesNotHangOnARabbitMQThatReadsNothing(t *testing.T) {
	wire := proxy(t, rabbitMQ(t))
	broker := newBroker(t, wire.cnf, amqpadapter.WithPublishTimeout(time.Second))
	var seen journal
	work(t, broker, 1, &processor{process: seen.add})
	publish(t, broker, task("add", "a"))
	seen.awaits(t, "a")
	wire.hold()

	large := tasks.Arg{Type: "string", Value: strings.Repeat("x", 1<<20)}
	var group sync.WaitGroup
	began := time.Now()
	for range 16 {
		group.Go(func() {
			if err := broker.Publish(context.Background(), task("add", "b", large)); err == nil {
				t.Error("confirmed what RabbitMQ did not get")
			}
		})
	}
	group.Wait()
	require.Less(t, time.Since(began), 10*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, broker.Publish(ctx, task("add", "c")), context.DeadlineExceeded)
	wire.release()
	publish(t, broker, task("add", "d"))
	eventually(t, func() bool {
		uuids := seen.uuids()
		return uuids[len(uuids)-1] == "d"
	})
}

func TestTaskIsNotLostWhenItsAcknowledgementIs(t *testing.T) {
	cnf := rabbitMQ(t)
	wire := proxy(t, cnf)
	broker := newBroker(t, wire.cnf)
	var seen journal
	started, finish := make(chan struct{}, 10), make(chan struct{})
	work(t, broker, 1, &processor{process: func(s *tasks.Signature) error {
		started <- struct{}{}
		<-finish
		return seen.add(s)
	}})
	publish(t, broker, task("slow", "a"))
	<-started
	wire.cut()
	close(finish)
	seen.awaits(t, "a", "a")
	broker.StopConsuming()
	require.Zero(t, waiting(t, cnf, cnf.DefaultQueue)+waiting(t, cnf, cnf.DefaultQueue+".redelivered"))
}
