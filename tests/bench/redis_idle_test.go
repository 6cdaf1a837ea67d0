package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

const (
	// untilIdle is after how many waits for tasks a worker makes them as long as it ever does.
	untilIdle = 6
	// watchedIdle is for how long requests are counted. The rarest are 20 s apart.
	watchedIdle = 40 * time.Second
)

// requests is a hook that counts what a client asks for. What comes on the connection that listens is not counted: one
// PING in 30 s.
type requests struct{ all, waits atomic.Int64 }

func (r *requests) BeforeProcess(ctx context.Context, cmd redis.Cmder) (context.Context, error) {
	r.all.Add(1)
	if cmd.Name() == "blmove" {
		r.waits.Add(1)
	}
	return ctx, nil
}

func (r *requests) AfterProcess(context.Context, redis.Cmder) error { return nil }

func (r *requests) BeforeProcessPipeline(ctx context.Context, cmds []redis.Cmder) (context.Context, error) {
	r.all.Add(int64(len(cmds)))
	return ctx, nil
}

func (r *requests) AfterProcessPipeline(context.Context, []redis.Cmder) error { return nil }

// benchmarkIdleOnRedis counts the requests of both workers at the same time.
func benchmarkIdleOnRedis(b *testing.B) {
	perSecond := make([]float64, len(idleWays))
	for range b.N {
		var watching sync.WaitGroup
		for i, opts := range [][]redisadapter.BrokerOption{nil, {redisadapter.WithOwnSendersOnly()}} {
			client, asked := redis.NewClient(redisOptions(b)), new(requests)
			b.Cleanup(func() { _ = client.Close() })
			client.AddHook(asked)
			launch(b, adapterOn(client, opts...))
			watching.Go(func() { perSecond[i] += asked.whenIdle() })
		}
		watching.Wait()
	}
	for i, way := range idleWays {
		b.ReportMetric(perSecond[i]/float64(b.N), way.unit)
	}
}

// whenIdle returns how many requests there are in a second.
func (r *requests) whenIdle() float64 {
	for r.waits.Load() <= untilIdle {
		time.Sleep(10 * time.Millisecond)
	}
	began, before := time.Now(), r.all.Load()
	time.Sleep(watchedIdle)
	return float64(r.all.Load()-before) / time.Since(began).Seconds()
}

// benchmarkETAOnRedis times from a task's ETA to its begin.
func benchmarkETAOnRedis(b *testing.B, server *machinery.Server) {
	begun := make(chan time.Time, 1)
	err := server.RegisterTask("task", func(int64) error {
		begun <- time.Now()
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	launch(b, server)
	late := make([]time.Duration, b.N)
	for i := range late {
		eta := time.Now().Add(20 * time.Millisecond)
		arg := tasks.Arg{Type: "int64", Value: int64(1)}
		if _, err := server.SendTask(&tasks.Signature{Name: "task", ETA: &eta, Args: []tasks.Arg{arg}}); err != nil {
			b.Fatal(err)
		}
		late[i] = (<-begun).Sub(eta)
	}
	b.ReportMetric(median(late).Seconds(), etaUnit)
	b.ReportMetric(slices.Max(late).Seconds(), slowestUnit)
}
