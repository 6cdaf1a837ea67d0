package redis_test

import (
	"context"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// Each worker has three queues with weights, and tasks wait by priority.
func TestKilledWorkersOfSeveralQueuesLoseNoTask(t *testing.T) {
	const many, kills = 1500, 10
	t.Setenv(queuesVariable, "3")
	s := startServer(t)
	r := newRun(t, s)
	queues := []string{queue, queue + "-2", queue + "-3"}
	for _, name := range queues {
		// As the first worker notes it, so that all tasks wait by priority already.
		require.NoError(t, r.client.Set(context.Background(), "{"+name+"}:priorities", "9", 0).Err())
	}
	r.route = func(chain int, signature *tasks.Signature) {
		signature.RoutingKey = queues[chain%len(queues)]
		signature.Priority = uint8(chain % 11)
	}
	for chain := range many {
		r.send(chain)
	}
	f := launchFleet(t, s, 4)
	for i := range kills {
		r.awaitDone((i + 1) * len(r.sent) / (kills + 2))
		f.killOne()
	}
	r.awaitAll()
	require.Equal(t, kills, f.died())
}

// Senders spread chains over four lists, and workers their further steps.
func TestKilledWorkersOfAShardedQueueLoseNoTask(t *testing.T) {
	const many, kills = 800, 6
	t.Setenv(shardsVariable, "4")
	s := startServer(t)
	r := newRun(t, s)
	for chain := range many {
		r.send(chain)
	}
	for _, shard := range redisadapter.ShardNames(queue, 4) {
		require.Positive(t, r.client.LLen(context.Background(), shard).Val(), shard)
	}
	f := launchFleet(t, s, 4)
	for i := range kills {
		r.awaitDone((i + 1) * len(r.sent) / (kills + 2))
		f.killOne()
	}
	r.awaitAll()
	require.Equal(t, kills, f.died())
}
