package redisadapter

import (
	"fmt"
	"maps"
	"slices"
)

// maxWeight is the largest weight of a queue.
const maxWeight = 1000

// queueShare is a queue that workers consume, or a shard of one. Those of a lower rank come first; those of the same
// rank share by weight.
type queueShare struct {
	name    string
	shardOf string // the queue whose shards share its weight; empty for one that has none
	rank    int
	weight  float64
}

// WithQueues has workers take tasks from several queues instead of the default queue: from the second one only while
// the first has none, and so on. So a queue that is never empty keeps those after it waiting: WithQueueWeights does
// not. The default queue is among them only where it is named; tasks without a RoutingKey go there. At least one name,
// each once.
//
// A worker of a custom queue takes tasks from that alone. An idle worker makes less than one request a second for each
// queue, and one more for the delayed tasks, and keeps a connection of the pool busy for each queue. A task that comes
// just when tasks of another queue have filled the worker goes back to the head of its queue, for other workers. Several
// queues need no more of Redis, nor of senders, than one, and in a Redis Cluster they may lie in different slots.
func WithQueues(names ...string) BrokerOption {
	option, queues := fmt.Sprintf("WithQueues(%q)", names), make([]queueShare, len(names))
	for i, name := range names {
		queues[i] = queueShare{name: name, rank: i, weight: 1}
	}
	return brokerOption(func(s *brokerSettings) error { return s.setQueues(option, queues) })
}

// WithQueueWeights does as WithQueues, but each of the queues, named with weights from 1 to 1000, gets its share: while
// all have tasks, a queue of weight 6 has six tasks begun for each one of a queue of weight 1. What a queue does not
// need, the others get. The weights say how many tasks begin, not how long they take.
func WithQueueWeights(weights map[string]int) BrokerOption {
	return brokerOption(func(s *brokerSettings) error {
		option := fmt.Sprintf("WithQueueWeights(%v)", weights)
		var queues []queueShare
		for _, name := range slices.Sorted(maps.Keys(weights)) {
			if weights[name] < 1 || weights[name] > maxWeight {
				return invalid(option, fmt.Sprintf("weights must be from 1 to %d", maxWeight))
			}
			queues = append(queues, queueShare{name: name, weight: float64(weights[name])})
		}
		return s.setQueues(option, queues)
	})
}

func (s *brokerSettings) setQueues(option string, queues []queueShare) error {
	if s.queues != nil {
		return invalid(option, "WithQueues or WithQueueWeights is given already")
	}
	if err := checkQueues(option, queues); err != nil {
		return err
	}
	s.queues = queues
	return nil
}

func checkQueues(option string, queues []queueShare) error {
	if len(queues) == 0 {
		return invalid(option, "it needs the names of queues")
	}
	seen := make(map[string]bool)
	for _, queue := range queues {
		if queue.name == "" || seen[queue.name] {
			return invalid(option, "each queue needs a name, and is named once")
		}
		seen[queue.name] = true
	}
	return nil
}

// queuesOf returns the queues that a worker consumes.
func (b *broker) queuesOf(custom string) []queueShare {
	if custom == "" && b.settings.queues != nil {
		return b.settings.queues
	}
	return []queueShare{{name: b.queueOf(custom), weight: 1}}
}

// shardsOf returns the shards of queues. Those that have messages share what their queue gets.
func (b *broker) shardsOf(queues []queueShare) []queueShare {
	var shards []queueShare
	for _, queue := range queues {
		for _, name := range b.settings.sharding.of(queue.name) {
			shards = append(shards, queueShare{name, queue.name, queue.rank, queue.weight})
		}
	}
	return shards
}
