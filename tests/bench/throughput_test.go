package main

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var throughputServers = map[string]func(testing.TB) *machinery.Server{
	"redis":    machineryOnRedis,
	"rabbitmq": machineryOnRabbitMQ,
}

// throughputWays register a task on a server, which calls done in the end, and return what sends it.
var throughputWays = []struct {
	name    string
	prepare func(b *testing.B, server *machinery.Server, order Order, done func()) (send func() error)
}{
	{"json", jsonByHand},
	{"middleware", withMiddleware},
}

func BenchmarkThroughput(b *testing.B) {
	describeRedis(b)
	describeRabbitMQ(b)
	for _, t := range throughputTransports {
		for _, p := range throughputPayloads {
			order := newOrder(p.lines)
			for _, way := range throughputWays {
				b.Run("transport="+t.name+"/payload="+p.name+"/way="+way.name, func(b *testing.B) {
					server := throughputServers[t.name](b)
					var running sync.WaitGroup
					send := way.prepare(b, server, order, running.Done)
					launch(b, server)
					warmUp(b, &running, send)
					running.Add(b.N)
					b.ResetTimer()
					sendMany(b, b.N, send)
					running.Wait()
					b.StopTimer()
				})
			}
		}
	}
}

// warmUp waits until the worker is at work.
func warmUp(b testing.TB, running *sync.WaitGroup, send func() error) {
	b.Helper()
	running.Add(workers)
	sendMany(b, workers, send)
	running.Wait()
}

func jsonByHand(b *testing.B, server *machinery.Server, order Order, done func()) func() error {
	register(b, server, func(text string) (string, error) {
		defer done()
		var order Order
		if err := json.Unmarshal([]byte(text), &order); err != nil {
			return "", err
		}
		reply, err := json.Marshal(order)
		return string(reply), err
	})
	return func() error {
		text, err := json.Marshal(order)
		if err != nil {
			return err
		}
		arg := tasks.Arg{Type: "string", Value: string(text)}
		_, err = server.SendTask(&tasks.Signature{Name: "order", Args: []tasks.Arg{arg}})
		return err
	}
}

func withMiddleware(b *testing.B, server *machinery.Server, order Order, done func()) func() error {
	m, err := middleware.Install(server, registry)
	if err != nil {
		b.Fatal(err)
	}
	err = m.RegisterTask("order", func(order Order) (Order, error) {
		defer done()
		return order, nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return func() error {
		ctx := context.Background()
		signature, err := m.Signature(ctx, "order", order)
		if err != nil {
			return err
		}
		_, err = m.SendTask(ctx, signature)
		return err
	}
}

func register(b *testing.B, server *machinery.Server, task any) {
	b.Helper()
	if err := server.RegisterTask("order", task); err != nil {
		b.Fatal(err)
	}
}
