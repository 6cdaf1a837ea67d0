package main

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var redisServers = map[string]func(testing.TB) *machinery.Server{
	"machinery":    machineryOnRedis,
	"redisadapter": adapterOnRedis,
}

// adapterOnRedis is a server with our broker and backend.
func adapterOnRedis(b testing.TB) *machinery.Server {
	b.Helper()
	client := redis.NewClient(redisOptions(b))
	b.Cleanup(func() { _ = client.Close() })
	return adapterOn(client)
}

func adapterOn(client *redis.Client, opts ...redisadapter.BrokerOption) *machinery.Server {
	cnf := newConfig()
	broker := redisadapter.NewBroker(cnf, client, opts...)
	return machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, client), eagerlock.New())
}

func BenchmarkRedisBroker(b *testing.B) {
	describeRedis(b)
	for _, way := range redisWays {
		b.Run("op=send/senders=1/way="+way, func(b *testing.B) { benchmarkSendOnRedis(b, redisServers[way](b), 1) })
		b.Run("op=send/senders=8/way="+way, func(b *testing.B) { benchmarkSendOnRedis(b, redisServers[way](b), 8) })
		b.Run("op=done/way="+way, func(b *testing.B) { benchmarkDoneOnRedis(b, redisServers[way](b)) })
		b.Run("op=memory/way="+way, func(b *testing.B) { benchmarkMemoryOfRedis(b, redisServers[way](b)) })
	}
	b.Run("op=due/way=redisadapter", func(b *testing.B) { benchmarkDueOnRedis(b, adapterOnRedis(b)) })
	b.Run("op=await/way=redisadapter", func(b *testing.B) { benchmarkAwaitOnRedis(b, adapterOnRedis(b)) })
	b.Run("op=eta/way=redisadapter", func(b *testing.B) { benchmarkETAOnRedis(b, adapterOnRedis(b)) })
	b.Run("op=idle/way=redisadapter", benchmarkIdleOnRedis)
}

// sendSmall returns the task's UUID.
func sendSmall(b testing.TB, server *machinery.Server) string { return sendSmallAt(b, server, nil) }

// sendSmallAt sends a task that is due at a time, or at once.
func sendSmallAt(b testing.TB, server *machinery.Server, eta *time.Time) string {
	arg := tasks.Arg{Type: "int64", Value: int64(1)}
	result, err := server.SendTask(&tasks.Signature{Name: "task", ETA: eta, Args: []tasks.Arg{arg}})
	if err != nil {
		b.Error(err)
		return ""
	}
	return result.Signature.UUID
}

// sendAll sends b.N tasks, in equal shares.
func sendAll(b *testing.B, server *machinery.Server, senders int) {
	share(b.N, senders, func(int) { sendSmall(b, server) })
}

func benchmarkSendOnRedis(b *testing.B, server *machinery.Server, senders int) {
	removeQueue(b, server)
	sendSmall(b, server) // connects
	b.ResetTimer()
	sendAll(b, server, senders)
}

// removeQueue removes in the end what no worker took.
func removeQueue(b *testing.B, server *machinery.Server) {
	client := redis.NewClient(redisOptions(b))
	b.Cleanup(func() {
		client.Del(context.Background(), server.GetConfig().DefaultQueue)
		_ = client.Close()
	})
}

func benchmarkDoneOnRedis(b *testing.B, server *machinery.Server) {
	var running sync.WaitGroup
	err := server.RegisterTask("task", func(int64) error {
		running.Done()
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	running.Add(b.N)
	sendAll(b, server, workers)
	b.ResetTimer()
	launch(b, server)
	running.Wait()
	b.StopTimer()
}

// benchmarkDueOnRedis times what comes after the moment at which many tasks are due.
func benchmarkDueOnRedis(b *testing.B, server *machinery.Server) {
	var running sync.WaitGroup
	err := server.RegisterTask("task", func(int64) error {
		running.Done()
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	launch(b, server)
	var late time.Duration
	for range b.N {
		running.Add(dueOnRedis)
		eta := time.Now().Add(5 * time.Second)
		sendDelayed(b, server, dueOnRedis, eta)
		if time.Now().After(eta) {
			b.Fatal("it took too long to send the tasks")
		}
		running.Wait()
		late += time.Since(eta)
	}
	b.ReportMetric(late.Seconds()/float64(b.N), dueUnit)
}

func sendDelayed(b *testing.B, server *machinery.Server, n int, eta time.Time) {
	share(n, workers, func(int) { sendSmallAt(b, server, &eta) })
}

// benchmarkMemoryOfRedis reports what a task that is due in an hour takes there, its state included.
func benchmarkMemoryOfRedis(b *testing.B, server *machinery.Server) {
	client, key := redis.NewClient(redisOptions(b)), server.GetConfig().Redis.DelayedTasksKey
	b.Cleanup(func() {
		client.Del(context.Background(), key)
		_ = client.Close()
	})
	eta := time.Now().Add(time.Hour)
	sendDelayed(b, server, b.N*dueOnRedis, eta)
	state := client.MemoryUsage(context.Background(), sendSmallAt(b, server, &eta), 0)
	tasks := client.MemoryUsage(context.Background(), key, 0)
	if err := errors.Join(state.Err(), tasks.Err()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(tasks.Val())/float64(b.N*dueOnRedis+1)+float64(state.Val()), memoryUnit)
}

// benchmarkAwaitOnRedis times what comes after the end of a task's function.
func benchmarkAwaitOnRedis(b *testing.B, server *machinery.Server) {
	m, err := middleware.Install(server, envelope.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan time.Time, 1)
	err = m.RegisterTask("task", func(n int64) (int64, error) {
		// Long enough for Await to wait already.
		time.Sleep(5 * time.Millisecond)
		ended <- time.Now()
		return n, nil
	})
	if err != nil {
		b.Fatal(err)
	}
	launch(b, server)
	ctx := context.Background()
	waits := make([]time.Duration, b.N)
	b.ResetTimer()
	for i := range waits {
		signature, err := m.Signature(ctx, "task", int64(i))
		if err != nil {
			b.Fatal(err)
		}
		result, err := m.SendTask(ctx, signature)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := middleware.Await[int64](ctx, m, result); err != nil {
			b.Fatal(err)
		}
		waits[i] = time.Since(<-ended)
	}
	b.StopTimer()
	b.ReportMetric(median(waits).Seconds(), awaitUnit)
}
