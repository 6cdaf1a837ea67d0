package redisadapter

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Processes of other versions know shards by these names.
func TestNamesOfShardsStayAsTheyAre(t *testing.T) {
	require.Equal(t, []string{"machinery_tasks"}, ShardNames("machinery_tasks", 1))
	require.Equal(t, []string{"machinery_tasks", "{shard-1.19}:machinery_tasks", "{shard-2.82}:machinery_tasks",
		"{shard-3.54}:machinery_tasks"}, ShardNames("machinery_tasks", 4))
	for _, n := range []int{-1, 0} {
		require.Len(t, ShardNames("q", n), 1)
	}
	require.Len(t, ShardNames("q", maxShards+1), maxShards)
}

func TestSlotsAreThoseOfRedis(t *testing.T) {
	for key, slot := range map[string]int{
		"123456789": 12739, "{123456789}:dead": 12739, "{user1000}.following": 3443,
		"user1000": 3443, "foo{bar}{zap}": 5061, "bar": 5061,
	} {
		require.Equal(t, slot, slotOf(key), key)
	}
}

// Whatever the number of shards is, none of as many masters with equal ranges of slots has far more than another.
func TestShardsAreSpreadEvenly(t *testing.T) {
	for _, queue := range []string{"machinery_tasks", "app:{q}", "x"} {
		for shards := 1; shards <= maxShards; shards *= 2 {
			taken := make(map[int]int)
			for _, name := range ShardNames(queue, shards) {
				// A range of slots that begins where the queue lies, for shards lie slightly behind their places.
				taken[(slotOf(name)-slotOf(queue)+clusterSlots)%clusterSlots*shards/clusterSlots]++
			}
			require.Len(t, taken, shards, "%s %d", queue, shards)
		}
	}
}

func TestShardTellsItsQueue(t *testing.T) {
	for _, queue := range []string{"q", "app:{q}", "{q}", "a}:b", "{shard", ""} {
		for i := range 5 {
			if queue == "" && i > 0 {
				continue
			}
			require.Equal(t, queue, queueOfShard(shardName(queue, i)))
		}
	}
}

func TestQueueWhoseNameLooksLikeAShardIsAQueue(t *testing.T) {
	for _, queue := range []string{
		"{shard-1.0}:", "{shard-1}:q", "{shard-eu.1}:q", "{shard-0.1}:q", "{shard-1.}:q", "{shard-1.0}:q", "{shard-}:q",
	} {
		require.Equal(t, queue, queueOfShard(queue))
	}
}

func TestKeysOfAShardLieInItsSlot(t *testing.T) {
	shard := shardName("app:{q}", 3)
	keys := keysOf(shard)
	for _, key := range append(keys.levels(), keys.consumers, keys.deferred, keys.isolated, keys.paused, keys.processing("w")) {
		require.Equal(t, slotOf(shard), slotOf(key), key)
	}
}

func TestTasksGoToTheShardsThatAreNotDrained(t *testing.T) {
	s := newSharding()
	s.counts = map[string]shardCounts{"": {send: 2, take: 4}, "drained": {take: 3}, "smaller": {send: 3, take: 1}}
	require.NoError(t, s.name("default"))
	for queue, want := range map[string][2]int{"default": {2, 4}, "drained": {1, 3}, "smaller": {3, 3}, "other": {1, 1}} {
		require.Equal(t, ShardNames(queue, want[1]), s.of(queue))
		picked := make(map[string]bool)
		for range 1000 {
			picked[s.pick(queue)] = true
		}
		require.Len(t, picked, want[0], queue)
		for _, name := range ShardNames(queue, want[0]) {
			require.True(t, picked[name], fmt.Sprint(name, picked))
		}
	}
}

func TestOptionsForTheDefaultQueueHoldByItsNameToo(t *testing.T) {
	for range 20 { // a map has no order
		s := newSharding()
		s.counts = map[string]shardCounts{"": {send: 2}, "default": {take: 4}}
		require.NoError(t, s.name("default"))
		require.Equal(t, shardedQueue{ShardNames("default", 4), 2}, s.queues["default"])
	}
}
