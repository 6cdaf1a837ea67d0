package main

import (
	"context"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// A queueing is a way in which tasks wait.
type queueing struct {
	name       string
	options    func(queue string) []redisadapter.BrokerOption
	priorities bool // whether tasks have some
	queues     []string
}

var queueings = []queueing{
	{name: "plain"},
	{name: "priorities-unused", options: withPriorities},
	{name: "priorities", options: withPriorities, priorities: true},
	{name: "queues", options: withThreeQueues, queues: []string{"", "-a", "-b"}},
}

func withPriorities(string) []redisadapter.BrokerOption {
	return []redisadapter.BrokerOption{redisadapter.WithPriorities()}
}

func withThreeQueues(queue string) []redisadapter.BrokerOption {
	return []redisadapter.BrokerOption{redisadapter.WithQueueWeights(map[string]int{queue: 3, queue + "-a": 2, queue + "-b": 1})}
}

// BenchmarkRedisQueues is what priorities and several queues cost.
func BenchmarkRedisQueues(b *testing.B) {
	for _, q := range queueings {
		b.Run("op=send/way="+q.name, func(b *testing.B) {
			server := q.server(b)
			b.ResetTimer()
			q.sendAll(b, server)
		})
		b.Run("op=done/way="+q.name, func(b *testing.B) {
			server := q.server(b)
			done := make(chan struct{}, b.N)
			if err := server.RegisterTask("task", func(int64) error { done <- struct{}{}; return nil }); err != nil {
				b.Fatal(err)
			}
			q.sendAll(b, server)
			worker := server.NewWorker("bench", 8)
			ended := make(chan error, 1)
			b.ResetTimer()
			worker.LaunchAsync(ended)
			for range b.N {
				<-done
			}
			b.StopTimer()
			worker.Quit()
			<-ended
		})
	}
}

func (q queueing) server(b *testing.B) *machinery.Server {
	cnf, client := newConfig(), redis.NewClient(redisOptions(b))
	b.Cleanup(func() {
		keys, err := client.Keys(context.Background(), "*"+cnf.DefaultQueue+"*").Result()
		if err == nil && len(keys) > 0 {
			client.Del(context.Background(), keys...)
		}
		_ = client.Close()
	})
	var options []redisadapter.BrokerOption
	if q.options != nil {
		options = q.options(cnf.DefaultQueue)
	}
	if q.priorities {
		// As a worker notes it.
		client.Set(b.Context(), "{"+cnf.DefaultQueue+"}:priorities", "9", 0)
	}
	broker := redisadapter.NewBroker(cnf, client, options...)
	return machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, client), eagerlock.New())
}

func (q queueing) sendAll(b *testing.B, server *machinery.Server) {
	for i := range b.N {
		s := &tasks.Signature{Name: "task", Args: []tasks.Arg{{Type: "int64", Value: int64(1)}}}
		if q.priorities {
			s.Priority = uint8(i % 10)
		}
		if len(q.queues) > 0 {
			s.RoutingKey = server.GetConfig().DefaultQueue + q.queues[i%len(q.queues)]
		}
		if _, err := server.SendTask(s); err != nil {
			b.Fatal(err)
		}
	}
}
