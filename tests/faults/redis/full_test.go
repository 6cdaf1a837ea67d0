package redis_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// Tasks, their states and their effects are all on the Redis that is full.
func TestFullRedisIsDrained(t *testing.T) {
	const many, poisons = 300, 30
	ctx := context.Background()
	s := startServer(t)
	r := newRun(t, s)
	for chain := range many {
		r.send(chain)
	}
	for i := range poisons {
		r.sendPoison(4*i+2, 0)
	}
	r.fill()
	var sending sync.WaitGroup
	for i := range 32 {
		step := r.newStep(many)
		step.UUID = fmt.Sprint("task_refused-", i)
		sending.Go(func() {
			_, err := r.sender.SendTask(ctx, step)
			assert.ErrorContains(t, err, "OOM", "each sender is told")
			assert.Zero(t, r.client.Exists(ctx, step.UUID).Val(), "the state of a task that was not sent")
		})
	}
	sending.Wait()

	f := launchFleet(t, s, 3)
	r.awaitAll()
	require.Zero(t, f.died())
	letters, err := redisadapter.NewDeadLetters(r.client, deadLettersKey).Count(ctx)
	require.NoError(t, err)
	require.Equal(t, poisons, letters)
	require.ErrorContains(t, r.client.Set(ctx, "more", "x", 0).Err(), "OOM", "it is full still")
}

// fill has Redis refuse everything that needs memory, for good.
func (r *run) fill() {
	r.t.Helper()
	ctx := context.Background()
	require.NoError(r.t, r.client.ConfigSet(ctx, "maxmemory-policy", "noeviction").Err())
	// An empty one has less than twice as much.
	require.NoError(r.t, r.client.Set(ctx, "filler", strings.Repeat("x", 4<<20), 0).Err())
	require.NoError(r.t, r.client.ConfigSet(ctx, "maxmemory", "2mb").Err())
	require.ErrorContains(r.t, r.client.Set(ctx, "more", "x", 0).Err(), "OOM")
}
