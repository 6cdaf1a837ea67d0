package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

const (
	// scaleTasks is how many tasks a rate is measured on.
	scaleTasks = 5000
	// scaleBytes is what they carry.
	scaleBytes = 100
)

// scaleBenchmarks return the time of one task, by the operations of scaleGrowths.
var scaleBenchmarks = map[string]func(b *testing.B, n int) time.Duration{
	"redis-send":        func(b *testing.B, n int) time.Duration { return scaleSend(b, filledRedis(b, n)) },
	"redis-done":        func(b *testing.B, n int) time.Duration { return scaleDone(b, filledRedis(b, n+scaleTasks), workers) },
	"redis-delay":       scaleDelay,
	"redis-due":         scaleDue,
	"redis-group":       func(b *testing.B, n int) time.Duration { return scaleGroup(b, n, awaitMembers) },
	"redis-chord":       func(b *testing.B, n int) time.Duration { return scaleGroup(b, n, awaitCallback) },
	"redis-payload":     func(b *testing.B, n int) time.Duration { return scalePayload(b, newScaleRedis(b).broker, n) },
	"redis-concurrency": func(b *testing.B, n int) time.Duration { return scaleDone(b, filledRedis(b, scaleTasks), n) },
	"redis-workers":     scaleWorkers,
	"amqp-send":         func(b *testing.B, n int) time.Duration { return scaleSend(b, filledRabbitMQ(b, n)) },
	"amqp-done":         func(b *testing.B, n int) time.Duration { return scaleDone(b, filledRabbitMQ(b, n+scaleTasks), workers) },
	"amqp-payload":      func(b *testing.B, n int) time.Duration { return scalePayload(b, scaleRabbitMQ(b), n) },
	"amqp-queues":       scaleQueues,
	"amqp-hash":         scaleHash,
}

func BenchmarkScale(b *testing.B) {
	describeRedis(b)
	describeRabbitMQ(b)
	for _, g := range scaleGrowths {
		for _, n := range g.sizes() {
			b.Run(fmt.Sprintf("op=%s/n=%d", g.operation, n), func(b *testing.B) {
				b.ReportMetric(scaleBenchmarks[g.operation](b, n).Seconds(), taskUnit)
			})
		}
	}
}

// numbered is one of many tasks of a size.
func numbered(i, bytes int) *tasks.Signature {
	arg := tasks.Arg{Type: "string", Value: strings.Repeat("x", bytes)}
	return &tasks.Signature{UUID: fmt.Sprintf("task_%09d", i), Name: "task", Args: []tasks.Arg{arg}}
}

func scaleRabbitMQ(b *testing.B) brokersiface.Broker {
	b.Helper()
	return newAMQPBroker(b, "classic", "amqpadapter")
}

// filledRabbitMQ has a queue of n tasks.
func filledRabbitMQ(b *testing.B, n int) brokersiface.Broker {
	b.Helper()
	broker := scaleRabbitMQ(b)
	for sent := 0; sent < n; sent += manyTasks {
		batch := make([]*tasks.Signature, min(manyTasks, n-sent))
		for i := range batch {
			batch[i] = numbered(sent+i, scaleBytes)
		}
		if err := errors.Join(broker.(amqpadapter.Broker).PublishMany(context.Background(), batch)...); err != nil {
			b.Fatal(err)
		}
	}
	return broker
}

// scaleSend is the time of one task that is sent.
func scaleSend(b *testing.B, broker brokersiface.Broker) time.Duration {
	publish(b, broker, numbered(0, scaleBytes)) // connects
	begin := time.Now()
	share(scaleTasks, workers, func(i int) { publish(b, broker, numbered(i, scaleBytes)) })
	return time.Since(begin) / scaleTasks
}

// scaleDone is the time of one task that is done, from the first on.
func scaleDone(b *testing.B, broker brokersiface.Broker, concurrency int) time.Duration {
	return doneBy(b, []brokersiface.Broker{broker}, concurrency, scaleTasks)
}

// doneBy has workers process so many tasks.
func doneBy(b *testing.B, brokers []brokersiface.Broker, concurrency, count int) time.Duration {
	b.Helper()
	var done atomic.Int64
	first, last := make(chan struct{}), make(chan struct{})
	stop := work(brokers, concurrency, func() {
		switch done.Add(1) {
		case 1:
			close(first)
		case int64(count):
			close(last)
		}
	})
	defer stop()
	<-first
	begin := time.Now()
	<-last
	return time.Since(begin) / time.Duration(count)
}

// work has a worker for each broker, until stop returns.
func work(brokers []brokersiface.Broker, concurrency int, done func()) (stop func()) {
	var consuming sync.WaitGroup
	for _, broker := range brokers {
		broker.SetRegisteredTaskNames([]string{"task"})
		consuming.Go(func() { _, _ = broker.StartConsuming("bench", concurrency, processor{done}) })
	}
	return func() {
		for _, broker := range brokers {
			consuming.Go(broker.StopConsuming)
		}
		consuming.Wait()
	}
}

// scalePayload is the time of one task that is sent and done.
func scalePayload(b *testing.B, broker brokersiface.Broker, bytes int) time.Duration {
	count := min(scaleTasks, 50_000_000/bytes)
	var running sync.WaitGroup
	defer work([]brokersiface.Broker{broker}, workers, running.Done)()
	running.Add(1)
	publish(b, broker, numbered(0, bytes))
	running.Wait()
	running.Add(count)
	begin := time.Now()
	share(count, workers, func(i int) { publish(b, broker, numbered(i, bytes)) })
	running.Wait()
	return time.Since(begin) / time.Duration(count)
}

// scaleQueues is the time of one task that is sent to one of so many queues, and done.
func scaleQueues(b *testing.B, queues int) time.Duration {
	brokers := make([]brokersiface.Broker, queues)
	for i := range brokers {
		brokers[i] = scaleRabbitMQ(b)
	}
	return spread(b, brokers, func(i int) *tasks.Signature { return numbered(i, scaleBytes) })
}

// scaleHash is the same with an exchange that spreads tasks over the queues.
func scaleHash(b *testing.B, queues int) time.Duration {
	brokers := make([]brokersiface.Broker, queues)
	exchange := "bench-" + uuid.NewString()
	for i := range brokers {
		cnf := newConfig()
		useRabbitMQ(b, cnf, services.AMQP(b))
		cnf.AMQP.Exchange, cnf.AMQP.ExchangeType, cnf.AMQP.BindingKey = exchange, "x-consistent-hash", "1"
		brokers[i] = amqpadapter.NewBroker(cnf)
		b.Cleanup(func() { _ = brokers[i].(io.Closer).Close() })
	}
	return spread(b, brokers, func(i int) *tasks.Signature {
		s := numbered(i, scaleBytes)
		s.RoutingKey = s.UUID
		return s
	})
}

// spread is the time of one task that is sent by one of the brokers, and done.
func spread(b *testing.B, brokers []brokersiface.Broker, task func(i int) *tasks.Signature) time.Duration {
	send := func(i int) { publish(b, brokers[i%len(brokers)], task(i)) }
	for i := range brokers {
		send(i) // connects, and makes the queue
	}
	begin := time.Now()
	share(scaleTasks, 2*workers, send)
	sent := time.Since(begin) / scaleTasks
	return sent + doneBy(b, brokers, workers, scaleTasks)
}

// scaleGroup is the time of one of n members, from its being sent until all are awaited.
func scaleGroup(b *testing.B, n int, await func(*testing.B, *middleware.Middleware, *tasks.Group)) time.Duration {
	server := adapterOnRedis(b)
	m := installed(b, server)
	launch(b, server)
	await(b, m, newGroupOf(b, 10)) // connects
	group := newGroupOf(b, n)
	begin := time.Now()
	await(b, m, group)
	return time.Since(begin) / time.Duration(n)
}
