package redisadapter

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"strings"
)

const (
	// maxShards is the largest number of shards of a queue.
	maxShards = 64
	// clusterSlots is how many slots a Redis Cluster has.
	clusterSlots = 16384
	// slotsNear is how near to its place in the slots a shard lies.
	slotsNear = 64
)

// WithShards splits each of the queues that are named, or the default queue, into n lists (1 to 64) that lie in other
// slots of a Redis Cluster, evenly spread, and so on several masters: one queue lies on one. Each task is sent to one of
// them at random, and workers take from all in equal shares. All else goes by the queue's own name, as without shards:
// RoutingKey, WithQueues and weights, GetPendingTasks, dead letters, and what a source shows and pauses.
//
// The first of the lists is the queue itself, so that WithShards(1) changes nothing. Tasks in the others are done by
// workers of this package alone that have the option for that queue, with no smaller n: not by Machinery's own, nor
// earlier versions of this package. Delayed tasks are spread when they are due, and a task that comes again stays where
// it was. Replayed dead letters go to the first list. Priorities hold within each list.
//
// To a worker each list is as another queue, see WithQueues: it has requests, a connection and a heartbeat of its own.
// Take as many shards as the Cluster has masters, up to a few times as many: with 4 none of three masters is left out.
//
// The number may change while the fleet works, and no task is left behind in this order:
//   - To a larger n: first the workers, and when all have it, those who only send.
//   - To a smaller n: first give all, workers and senders, WithDrainedShards with the old number beside the new
//     WithShards. When all have that, and of the lists beyond the new number (see ShardNames) none is left, nor a key
//     beside them that ends in :deferred or :isolated or goes on with :processing:, leave it out.
func WithShards(n int, queues ...string) BrokerOption {
	return newShardsOption("WithShards", n, queues, func(c *shardCounts) *int { return &c.send })
}

// WithDrainedShards has workers take tasks from n shards of the queues, and has none sent to those beyond the number
// of WithShards, or beyond the queue itself without it. It is for the time in which that number becomes smaller.
func WithDrainedShards(n int, queues ...string) BrokerOption {
	return newShardsOption("WithDrainedShards", n, queues, func(c *shardCounts) *int { return &c.take })
}

// ShardNames returns the keys of the lists of a queue that WithShards(n) splits, the first of which is the queue. What
// belongs to a list is in keys that begin with its own, as with a queue: {shard-1.57}:q:processing:… There are at most
// 64.
func ShardNames(queue string, n int) []string {
	names := make([]string, min(max(n, 1), maxShards))
	for i := range names {
		names[i] = shardName(queue, i)
	}
	return names
}

// shardCounts say to how many shards of a queue tasks are sent, and from how many they are taken beside those.
type shardCounts struct{ send, take int }

func newShardsOption(name string, n int, queues []string, count func(*shardCounts) *int) BrokerOption {
	option := fmt.Sprintf("%s(%d)", name, n)
	if len(queues) == 0 {
		queues = []string{""}
	}
	return brokerOption(func(settings *brokerSettings) error {
		if n < 1 || n > maxShards {
			return invalid(option, fmt.Sprintf("it must be from 1 to %d", maxShards))
		}
		for _, queue := range queues {
			counts := settings.sharding.counts[queue]
			if *count(&counts) != 0 {
				return invalid(option, "it is given already for the queue "+queue)
			}
			*count(&counts) = n
			settings.sharding.counts[queue] = counts
		}
		return nil
	})
}

// sharding knows the shards of queues.
type sharding struct {
	counts map[string]shardCounts // by queue; the empty name is the default queue
	queues map[string]shardedQueue
}

// shardedQueue has the names of all shards, to the first of which tasks are sent: so many.
type shardedQueue struct {
	names []string
	send  int
}

func newSharding() sharding { return sharding{counts: make(map[string]shardCounts)} }

// name finds the names of the shards, when all options are applied. The default queue may be named in one option, and
// meant by another: the error is that both give the same number.
func (s *sharding) name(defaultQueue string) error {
	unnamed, named := s.counts[""], s.counts[defaultQueue]
	if defaultQueue != "" && (unnamed.send != 0 && named.send != 0 || unnamed.take != 0 && named.take != 0) {
		return invalid("WithShards", "it, or WithDrainedShards, is given twice for the default queue, by its name too: "+defaultQueue)
	}
	s.queues = make(map[string]shardedQueue, len(s.counts))
	for queue, c := range s.counts {
		if queue == "" || queue == defaultQueue {
			queue, c = defaultQueue, shardCounts{max(unnamed.send, named.send), max(unnamed.take, named.take)}
		}
		s.queues[queue] = shardedQueue{ShardNames(queue, max(c.send, c.take)), max(c.send, 1)}
	}
	return nil
}

// of returns the lists of a queue.
func (s *sharding) of(queue string) []string {
	if q, sharded := s.queues[queue]; sharded {
		return q.names
	}
	return []string{queue}
}

// pick returns the list of a queue that a task is sent to.
func (s *sharding) pick(queue string) string {
	q, sharded := s.queues[queue]
	if !sharded || q.send == 1 {
		return queue
	}
	return q.names[rand.IntN(q.send)]
}

// shardStart begins the name of each shard but the first, and shardEnd comes before the name of the queue. The braces
// have the shard in a slot of its own, whatever the queue is called.
const shardStart, shardEnd = "{shard-", "}:"

// shardName is the name of a shard. Other processes know it: it must not change.
func shardName(queue string, shard int) string {
	if shard == 0 {
		return queue
	}
	for try := 0; ; try++ {
		if name := fmt.Sprintf("%s%d.%d%s%s", shardStart, shard, try, shardEnd, queue); isInPlace(name, queue, shard) {
			return name
		}
	}
}

// isInPlace reports whether a name lies where a shard of a queue is to lie.
func isInPlace(name, queue string, shard int) bool {
	// The bits of 1, 2, 3, … in reverse are 1/2, 1/4, 3/4, … of the slots: evenly spread, however many there are.
	place := slotOf(queue) + int(bits.Reverse16(uint16(shard)))*clusterSlots>>16
	return (slotOf(name)-place+2*clusterSlots)%clusterSlots < slotsNear
}

// queueOfShard returns the queue whose shard has that name: itself where it is no other's. An application may have
// given its queues names like {shard-1}:orders.
func queueOfShard(name string) string {
	rest, is := strings.CutPrefix(name, shardStart)
	if !is {
		return name
	}
	tag, queue, _ := strings.Cut(rest, shardEnd)
	number, try, _ := strings.Cut(tag, ".")
	shard, err := strconv.ParseUint(number, 10, 16)
	_, tryErr := strconv.ParseUint(try, 10, 32)
	if queue == "" || shard == 0 || errors.Join(err, tryErr) != nil || !isInPlace(name, queue, int(shard)) {
		return name
	}
	return queue
}

// byShard compares lists of one queue, of which the queue itself comes first.
func byShard(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// slotOf is the slot of a key in a Redis Cluster: its CRC-16 (XMODEM), or that of the part that it has in braces.
func slotOf(key string) int {
	if tag, has := slotTag(key); has {
		key = tag
	}
	var crc uint16
	for _, b := range []byte(key) {
		crc ^= uint16(b) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			if crc <<= 1; carry {
				crc ^= 0x1021
			}
		}
	}
	return int(crc) % clusterSlots
}
