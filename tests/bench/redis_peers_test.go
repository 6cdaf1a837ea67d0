package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

var newTaskQueue = map[string]func(*testing.B) taskQueue{
	"machinery":    func(b *testing.B) taskQueue { return newMachineryQueue(b, machineryOnRedis(b)) },
	"redisadapter": func(b *testing.B) taskQueue { return newMachineryQueue(b, adapterOnRedis(b)) },
	"asynq":        newAsynqQueue,
	"river":        newRiverQueue,
	"go-redis":     newFloor,
	"rueidis":      newRueidisFloor,
}

func BenchmarkRedisPeers(b *testing.B) {
	describeRedis(b)
	describePostgreSQL(b)
	for _, senders := range peerSenders {
		for _, way := range redisPeerWays {
			b.Run(fmt.Sprintf("op=send/senders=%d/way=%s", senders, way.name), func(b *testing.B) {
				benchmarkSentBy(b, newTaskQueue[way.name](b), senders)
			})
		}
	}
	for _, concurrency := range peerConcurrencies {
		for _, way := range redisPeerWays {
			b.Run(fmt.Sprintf("op=done/concurrency=%d/way=%s", concurrency, way.name), func(b *testing.B) {
				benchmarkDoneBy(b, newTaskQueue[way.name](b), concurrency)
			})
		}
	}
}

// machineryQueue is Machinery with one of its brokers and backends.
type machineryQueue struct {
	server *machinery.Server
	client *redis.Client
	sent   []string // UUIDs
}

func newMachineryQueue(b *testing.B, server *machinery.Server) taskQueue {
	removeQueue(b, server)
	client := redis.NewClient(redisOptions(b))
	b.Cleanup(func() { _ = client.Close() })
	return &machineryQueue{server: server, client: client}
}

func (q *machineryQueue) sendAll(b *testing.B, n, senders int) {
	q.sent = make([]string, n)
	share(n, senders, func(i int) { q.sent[i] = sendSmall(b, q.server) })
}

func (q *machineryQueue) waiting(b *testing.B) int {
	return lengthOf(b, q.client, q.server.GetConfig().DefaultQueue)
}

func (q *machineryQueue) work(b *testing.B, concurrency int, done func()) {
	err := q.server.RegisterTask("task", func(n int64) (int64, error) {
		done()
		return n, nil
	})
	if err != nil {
		b.Fatal(err)
	}
	launchWith(b, q.server, concurrency)
}

func (q *machineryQueue) kept(*testing.B) int {
	return countAll(q.sent, func(id string) bool {
		state, err := q.server.GetBackend().GetState(id)
		return err == nil && state.State == tasks.StateSuccess &&
			len(state.Results) == 1 && fmt.Sprint(state.Results[0].Value) == "1"
	})
}

func (q *machineryQueue) serverCPU(b *testing.B) time.Duration { return redisCPU(b, q.client) }

// lengthOf is that of a list.
func lengthOf(b *testing.B, client *redis.Client, list string) int {
	b.Helper()
	length, err := client.LLen(context.Background(), list).Result()
	if err != nil {
		b.Fatal(err)
	}
	return int(length)
}

// countAll counts those of which something is true, which it asks a server on some goroutines.
func countAll(ids []string, isTrue func(id string) bool) int {
	var found atomic.Int64
	share(len(ids), workers, func(i int) {
		if isTrue(ids[i]) {
			found.Add(1)
		}
	})
	return int(found.Load())
}
