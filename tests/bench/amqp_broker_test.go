package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	amqpbroker "github.com/RichardKnop/machinery/v2/brokers/amqp"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// newAMQPBroker makes brokers with a queue of their own, of a type.
func newAMQPBroker(b testing.TB, queue, name string) brokersiface.Broker {
	b.Helper()
	cnf := newConfig()
	if queue == "quorum" {
		useRabbitMQ(b, cnf, services.QuorumAMQP(b))
	} else {
		useRabbitMQ(b, cnf, services.AMQP(b))
	}
	cnf.AMQP.QueueDeclareArgs = config.QueueDeclareArgs{"x-expires": 600_000} // of what stands beside the queue too
	if name == "machinery" {
		return amqpbroker.New(cnf)
	}
	broker := amqpadapter.NewBroker(cnf)
	b.Cleanup(func() { _ = broker.(io.Closer).Close() })
	return broker
}

// processor does nothing but tell that it was called.
type processor struct{ done func() }

func (p processor) Process(*tasks.Signature) error { p.done(); return nil }
func (p processor) CustomQueue() string            { return "" }
func (p processor) PreConsumeHandler() bool        { return true }

var kilobyte = tasks.Arg{Type: "string", Value: strings.Repeat("x", 1000)}

func task() *tasks.Signature {
	return &tasks.Signature{UUID: "task_of_the_benchmark", Name: "task", Args: []tasks.Arg{kilobyte}}
}

func publish(b testing.TB, broker brokersiface.Broker, s *tasks.Signature) {
	if err := broker.Publish(context.Background(), s); err != nil {
		b.Error(err)
	}
}

var amqpWork = map[string]func(*testing.B, brokersiface.Broker){
	"done":          benchmarkDone,
	"sent-and-done": benchmarkSentAndDone,
}

func BenchmarkRabbitMQBroker(b *testing.B) {
	describeRabbitMQ(b)
	run := func(op, queue, broker string, benchmark func(*testing.B, brokersiface.Broker)) {
		b.Run(amqpName(op, queue, broker), func(b *testing.B) { benchmark(b, newAMQPBroker(b, queue, broker)) })
	}
	for _, queue := range amqpQueues {
		for _, send := range amqpSends {
			b.Run(send.name(queue), func(b *testing.B) { benchmarkSends(b, queue, int(send)) })
		}
		for op, benchmark := range amqpWork {
			for _, i := range rand.Perm(len(amqpBrokers)) { // one right after the other: the machine may be busier later
				run(op, queue, amqpBrokers[i], benchmark)
			}
		}
		run("many", queue, "amqpadapter", benchmarkMany)
	}
	run("due", "classic", "amqpadapter", benchmarkDue)
}

// benchmarkMany times one task of many that are sent at a time.
func benchmarkMany(b *testing.B, broker brokersiface.Broker) {
	publish(b, broker, task()) // connects
	b.ResetTimer()
	for sent := 0; sent < b.N; sent += manyTasks {
		batch := make([]*tasks.Signature, min(manyTasks, b.N-sent))
		for i := range batch {
			batch[i] = task()
		}
		if err := errors.Join(broker.(amqpadapter.Broker).PublishMany(context.Background(), batch)...); err != nil {
			b.Fatal(err)
		}
	}
}

// sendShares sends tasks, in equal shares.
func sendShares(b *testing.B, broker brokersiface.Broker, senders, tasks int) {
	var sending sync.WaitGroup
	for sender := range senders {
		sending.Go(func() {
			for i := sender; i < tasks; i += senders {
				publish(b, broker, task())
			}
		})
	}
	sending.Wait()
}

// consume processes tasks until the benchmark has ended.
func consume(b *testing.B, broker brokersiface.Broker, done func()) {
	broker.SetRegisteredTaskNames([]string{"task"})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = broker.StartConsuming("bench", workers, processor{done})
	}()
	b.Cleanup(func() {
		broker.StopConsuming()
		<-ended
	})
}

// benchmarkDone times a worker that finds its tasks in the queue.
func benchmarkDone(b *testing.B, broker brokersiface.Broker) {
	var running sync.WaitGroup
	running.Add(b.N)
	sendShares(b, broker, workers, b.N)
	b.ResetTimer()
	consume(b, broker, running.Done)
	running.Wait()
	b.StopTimer()
}

func benchmarkSentAndDone(b *testing.B, broker brokersiface.Broker) {
	var running sync.WaitGroup
	consume(b, broker, running.Done)
	running.Add(1)
	publish(b, broker, task())
	running.Wait()

	running.Add(b.N)
	b.ResetTimer()
	sendShares(b, broker, workers, b.N)
	running.Wait()
	b.StopTimer()
}

// benchmarkDue times what comes after the moment at which many tasks are due.
func benchmarkDue(b *testing.B, broker brokersiface.Broker) {
	var running sync.WaitGroup
	consume(b, broker, running.Done)
	var late time.Duration
	for range b.N {
		running.Add(dueTasks)
		eta := time.Now().Add(10 * time.Second)
		sendMany(b, dueTasks, func() error {
			s := task()
			s.ETA = &eta
			return broker.Publish(context.Background(), s)
		})
		if time.Now().After(eta) {
			b.Fatal("it took too long to send the tasks")
		}
		running.Wait()
		late += time.Since(eta)
	}
	b.ReportMetric(late.Seconds()/float64(b.N), dueUnit)
}
