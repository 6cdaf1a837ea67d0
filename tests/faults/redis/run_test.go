package redis_test

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

const (
	// patience bounds every wait for something that has to happen, on a machine that has much else to do.
	patience = 150 * time.Second
	tick     = 20 * time.Millisecond

	// stepsPerChain is how many tasks follow each other in a chain.
	stepsPerChain = 2
)

func eventually(t *testing.T, condition func() bool, complaint func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			require.Fail(t, "it did not happen", complaint())
		}
		time.Sleep(tick)
	}
}

// run is a number of chains on their way.
type run struct {
	t      *testing.T
	client *redis.Client
	sender *middleware.Middleware
	sent   map[string]bool // the effects that are to come
}

func newRun(t *testing.T, s *server) *run {
	t.Helper()
	client := s.dial()
	sender, err := newMiddleware(client)
	require.NoError(t, err)
	return &run{t: t, client: client, sender: sender, sent: make(map[string]bool)}
}

// send sends a chain, again and again until its arrival is confirmed.
func (r *run) send(chain int) {
	r.t.Helper()
	ctx := context.Background()
	var signatures []*tasks.Signature
	for i := range stepsPerChain {
		var arguments []any
		if i == 0 {
			arguments = []any{Step{Chain: chain}}
		}
		signature, err := r.sender.Signature(ctx, stepTask, arguments...)
		require.NoError(r.t, err)
		signatures = append(signatures, signature)
	}
	eventually(r.t, func() bool {
		links, err := tasks.NewChain(signatures...)
		require.NoError(r.t, err)
		_, err = r.sender.SendChain(ctx, links)
		return err == nil
	}, func() string { return fmt.Sprintf("chain %d was not taken", chain) })
	for i := range stepsPerChain {
		r.sent[Step{Chain: chain, Index: i + 1}.String()] = true
	}
}

func (r *run) done() int {
	n, err := r.client.HLen(context.Background(), effectsKey).Result()
	if err != nil {
		return 0
	}
	return int(n)
}

// awaitDone waits until so many effects are there.
func (r *run) awaitDone(many int) {
	r.t.Helper()
	eventually(r.t, func() bool { return r.done() >= many }, func() string {
		return fmt.Sprintf("%d of %d tasks are done; %s", r.done(), many, r.whereabouts())
	})
}

// awaitAll waits for every task that was sent, and for the queue to have nothing left; then it counts.
func (r *run) awaitAll() {
	r.t.Helper()
	r.awaitDone(len(r.sent))
	eventually(r.t, func() bool { return len(r.leftOver()) == 0 }, r.whereabouts)
	effects, err := r.client.HGetAll(context.Background(), effectsKey).Result()
	require.NoError(r.t, err)
	duplicates := 0
	for effect, times := range maps.All(effects) {
		n, err := strconv.Atoi(times)
		require.NoError(r.t, err)
		require.True(r.t, r.sent[effect], "%s was never sent", effect)
		duplicates += n - 1
	}
	require.Len(r.t, effects, len(r.sent), "tasks are lost")
	r.t.Logf("%d tasks: none lost, %d run twice", len(r.sent), duplicates)
}

// leftOver returns the keys in which tasks wait or run.
func (r *run) leftOver() []string {
	keys, err := r.client.Keys(context.Background(), "*"+queue+"*").Result()
	if err != nil {
		return []string{err.Error()}
	}
	var busy []string
	for _, key := range keys {
		if key != "{"+queue+"}:consumers" && key != "{"+queue+"}:deliveries" {
			busy = append(busy, key)
		}
	}
	return busy
}

func (r *run) whereabouts() string { return fmt.Sprint("tasks are in ", r.leftOver()) }
