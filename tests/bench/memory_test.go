package main

import (
	"context"
	"runtime"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const (
	tasksBefore = 5_000
	tasksAfter  = 100_000
)

// BenchmarkMemory does the same whatever b.N is: it is not about time.
func BenchmarkMemory(b *testing.B) {
	describeRedis(b)
	server := ownOnRedis(b)
	m, err := middleware.Install(server, registry)
	if err != nil {
		b.Fatal(err)
	}
	if err := m.RegisterTask("order", func(order Order) (Order, error) { return order, nil }); err != nil {
		b.Fatal(err)
	}
	launch(b, server)
	order := newOrder(5)
	call := func() error {
		ctx := context.Background()
		signature, err := m.Signature(ctx, "order", order)
		if err != nil {
			return err
		}
		sent, err := m.SendTask(ctx, signature)
		if err != nil {
			return err
		}
		_, err = middleware.Await[Order](ctx, m, sent)
		return err
	}
	sendMany(b, tasksBefore, call)
	before := heapInUse()
	sendMany(b, tasksAfter, call)
	b.ReportMetric(heapInUse(), heapAfter)
	b.ReportMetric(before, heapBefore)
}

func heapInUse() float64 {
	// The second collection takes what the first has put aside for finalizers and pools.
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

// ownOnRedis is a server with this project's broker and backend.
func ownOnRedis(b testing.TB) *machinery.Server {
	b.Helper()
	cnf, client := newConfig(), redis.NewClient(redisOptions(b))
	b.Cleanup(func() { _ = client.Close() })
	return machinery.NewServer(cnf, redisadapter.NewBroker(cnf, client), redisadapter.NewBackend(cnf, client), eagerlock.New())
}
