package redis_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func TestIdleWorkerIsQuiet(t *testing.T) {
	for name, c := range map[string]struct {
		opts      []redisadapter.BrokerOption
		perSecond float64
	}{
		"defaults":         {nil, 2},
		"own senders only": {[]redisadapter.BrokerOption{redisadapter.WithOwnSendersOnly()}, 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const shortWaits, watched = 6, 20 * time.Second
			s := startServer(t)
			r := &run{t: t, client: s.dial()}
			cnf := &config.Config{DefaultQueue: queue, ResultsExpireIn: 3600, NoUnixSignals: true}
			broker := redisadapter.NewBroker(cnf, s.dial(), c.opts...)
			server := machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, s.dial()), eagerlock.New())
			late := make(chan time.Duration, 1)
			require.NoError(t, server.RegisterTask(stepTask, func(ctx context.Context) error {
				late <- time.Since(*tasks.SignatureFromContext(ctx).ETA)
				return nil
			}))
			runHere(t, server.NewWorker("worker", 1))
			eventually(t, func() bool { return r.waits() >= shortWaits }, func() string { return "the worker is not idle" })

			began, before := time.Now(), r.requests()
			require.NoError(t, r.client.Set(context.Background(), "clock", "", watched).Err())
			eventually(t, func() bool { return r.client.Exists(context.Background(), "clock").Val() == 0 }, func() string { return "time stands still" })
			requests, seconds := r.requests()-before, time.Since(began).Seconds()
			t.Logf("an idle worker made %.2f requests a second", float64(requests)/seconds)
			require.LessOrEqual(t, float64(requests), c.perSecond*seconds+1)

			eta := time.Now().Add(300 * time.Millisecond)
			_, err := server.SendTask(&tasks.Signature{Name: stepTask, ETA: &eta})
			require.NoError(t, err)
			t.Logf("a task that was delayed by 300 ms started %v late", <-late)
		})
	}
}

// requests returns how many requests workers have made. Redis counts the commands in scripts too, which are none.
func (r *run) requests() int {
	sum := 0
	for _, command := range []string{"eval", "evalsha", "blmove", "ping", "subscribe", "publish"} {
		sum += r.stat("commandstats", fmt.Sprintf(`cmdstat_%s:calls=(\d+)`, command))
	}
	return sum
}

func (r *run) waits() int { return r.stat("commandstats", `cmdstat_blmove:calls=(\d+)`) }
