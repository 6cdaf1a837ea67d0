package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/google/uuid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func BenchmarkRedisGroups(b *testing.B) {
	describeRedis(b)
	for _, way := range redisWays {
		b.Run("op=send/way="+way, func(b *testing.B) { benchmarkSendGroup(b, redisServers[way](b)) })
		b.Run("op=large/way="+way, func(b *testing.B) { benchmarkLarge(b, redisServers[way](b)) })
		for operation, size := range queuedPayloads {
			b.Run("op="+operation+"/way="+way, func(b *testing.B) { benchmarkQueued(b, redisServers[way](b), size) })
		}
	}
	b.Run("op=group/way=redisadapter", func(b *testing.B) { benchmarkMembers(b, adapterOnRedis(b), awaitGroup) })
	b.Run("op=chord/way=redisadapter", func(b *testing.B) { benchmarkMembers(b, adapterOnRedis(b), awaitChord) })
	b.Run("op=latency/way=redisadapter", func(b *testing.B) { benchmarkLatency(b, adapterLatency(b)) })
	b.Run("op=latency/way=go-redis", func(b *testing.B) { benchmarkLatency(b, floorLatency(b)) })
	b.Run("op=send-each/way=redisadapter", func(b *testing.B) { benchmarkSendEach(b, adapterOnRedis(b)) })
}

// installed is a server with the middleware, and tasks that members and callbacks are.
func installed(b *testing.B, server *machinery.Server) *middleware.Middleware {
	b.Helper()
	m, err := middleware.Install(server, envelope.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	err = m.RegisterTasks(map[string]any{
		"task": func(n int64) (int64, error) { return n, nil },
		"sum":  func(numbers ...int64) (int64, error) { return int64(len(numbers)), nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func newGroup(b *testing.B) *tasks.Group {
	b.Helper()
	return newGroupOf(b, groupMembers)
}

func newGroupOf(b *testing.B, n int) *tasks.Group {
	b.Helper()
	members := make([]*tasks.Signature, n)
	for i := range members {
		members[i] = &tasks.Signature{Name: "task", Args: []tasks.Arg{{Type: "int64", Value: int64(i)}}}
	}
	group, err := tasks.NewGroup(members...)
	if err != nil {
		b.Fatal(err)
	}
	return group
}

// benchmarkSendGroup times a group that nobody receives.
func benchmarkSendGroup(b *testing.B, server *machinery.Server) {
	removeQueue(b, server)
	m := installed(b, server)
	groups := make([]*tasks.Group, b.N)
	for i := range groups {
		groups[i] = newGroup(b)
	}
	b.ResetTimer()
	for _, group := range groups {
		if _, err := m.SendGroup(context.Background(), group, workers); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	needWaiting(b, server)
}

// benchmarkMembers measures what a member costs until all are awaited.
func benchmarkMembers(b *testing.B, server *machinery.Server, await func(*testing.B, *middleware.Middleware)) {
	m := installed(b, server)
	launch(b, server)
	cpu := startCPU(b, ofRedis(b))
	b.ResetTimer()
	for range b.N {
		await(b, m)
	}
	b.StopTimer()
	cpu.report(b)
}

func awaitGroup(b *testing.B, m *middleware.Middleware) { awaitMembers(b, m, newGroup(b)) }

func awaitMembers(b *testing.B, m *middleware.Middleware, group *tasks.Group) {
	results, err := m.SendGroup(context.Background(), group, workers)
	if err != nil {
		b.Fatal(err)
	}
	for i, result := range results {
		got, err := middleware.Await[int64](context.Background(), m, result)
		if err != nil {
			b.Fatal(err)
		}
		if got != int64(i) {
			b.Fatalf("member %d has the result %d", i, got)
		}
	}
}

func awaitChord(b *testing.B, m *middleware.Middleware) { awaitCallback(b, m, newGroup(b)) }

func awaitCallback(b *testing.B, m *middleware.Middleware, group *tasks.Group) {
	chord, err := tasks.NewChord(group, &tasks.Signature{Name: "sum"})
	if err != nil {
		b.Fatal(err)
	}
	result, err := m.SendChord(context.Background(), chord, workers)
	if err != nil {
		b.Fatal(err)
	}
	got, err := middleware.Await[int64](context.Background(), m, result)
	if err != nil {
		b.Fatal(err)
	}
	if got != int64(len(group.Tasks)) {
		b.Fatalf("the callback got %d results of %d", got, len(group.Tasks))
	}
}

// benchmarkLarge measures what Redis computes for a task of 8 MiB that a worker waits for.
func benchmarkLarge(b *testing.B, server *machinery.Server) {
	ended := registerLarge(b, server)
	cpu := startRedisCPU(b)
	stop := launchUntilStopped(server)
	b.ResetTimer()
	for range b.N {
		sendLarge(b, server, largeText)
		<-ended
	}
	b.StopTimer()
	stop()
	cpu()
}

// benchmarkQueued measures that where all tasks, with so many bytes each, are in the queue before the worker starts.
func benchmarkQueued(b *testing.B, server *machinery.Server, size int) {
	ended := registerLarge(b, server)
	cpu := startRedisCPU(b)
	for range b.N {
		sendLarge(b, server, largeText[:size])
	}
	b.ResetTimer()
	stop := launchUntilStopped(server)
	for range b.N {
		<-ended
	}
	b.StopTimer()
	stop()
	cpu()
}

func registerLarge(b *testing.B, server *machinery.Server) (ended chan struct{}) {
	b.Helper()
	ended = make(chan struct{})
	err := server.RegisterTask("large", func(string) error {
		ended <- struct{}{}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return ended
}

var largeText = strings.Repeat("x", largePayload)

func sendLarge(b *testing.B, server *machinery.Server, text string) {
	b.Helper()
	_, err := server.SendTask(&tasks.Signature{Name: "large", Args: []tasks.Arg{{Type: "string", Value: text}}})
	if err != nil {
		b.Fatal(err)
	}
}

// startRedisCPU returns what reports how long Redis has computed since.
func startRedisCPU(b *testing.B) (report func()) {
	b.Helper()
	client := redis.NewClient(redisOptions(b))
	b.Cleanup(func() { _ = client.Close() })
	before := redisCPU(b, client)
	return func() { b.ReportMetric((redisCPU(b, client)-before).Seconds()/float64(b.N), redisCPUUnit) }
}

// launchUntilStopped starts a worker. It has acknowledged all and written all states when stop returns.
func launchUntilStopped(server *machinery.Server) (stop func()) {
	worker := server.NewWorker("bench", workers)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	return func() {
		worker.Quit()
		<-ended
	}
}

// benchmarkLatency reports the median of what one call takes.
func benchmarkLatency(b *testing.B, call func()) {
	call() // connects
	took := make([]time.Duration, b.N)
	b.ResetTimer()
	for i := range took {
		begin := time.Now()
		call()
		took[i] = time.Since(begin)
	}
	b.StopTimer()
	b.ReportMetric(median(took).Seconds(), awaitUnit)
}

// adapterLatency sends a task and awaits its result.
func adapterLatency(b *testing.B) func() {
	server := adapterOnRedis(b)
	m := installed(b, server)
	launch(b, server)
	return func() {
		s := &tasks.Signature{Name: "task", Args: []tasks.Arg{{Type: "int64", Value: int64(1)}}}
		result, err := m.SendTask(context.Background(), s)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := middleware.Await[int64](context.Background(), m, result); err != nil {
			b.Fatal(err)
		}
	}
}

// floorLatency pushes a number to a list, on which another goroutine blocks, and waits for the message that its result
// is in a key.
func floorLatency(b *testing.B) func() {
	ctx, list := context.Background(), "bench-"+uuid.NewString()
	client := redis.NewClient(redisOptions(b))
	messages := client.Subscribe(ctx, list)
	if _, err := messages.Receive(ctx); err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			popped, err := client.BLPop(ctx, 0, list).Result()
			if err != nil || popped[1] == "end" {
				return
			}
			_, _ = client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
				pipe.Set(ctx, list+":result", popped[1], time.Minute)
				pipe.Publish(ctx, list, "1")
				return nil
			})
		}
	}()
	b.Cleanup(func() {
		client.RPush(ctx, list, "end")
		<-ended
		_ = messages.Close()
		_ = client.Close()
	})
	return func() {
		if err := client.RPush(ctx, list, "1").Err(); err != nil {
			b.Fatal(err)
		}
		if _, err := messages.ReceiveMessage(ctx); err != nil {
			b.Fatal(err)
		}
		if got, err := client.Get(ctx, list+":result").Result(); err != nil || got != "1" {
			b.Fatal(fmt.Errorf("result is %q: %w", got, err))
		}
	}
}
