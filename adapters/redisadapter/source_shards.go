package redisadapter

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// knownQueue is a queue that a source knows, with the lists that it consists of.
type knownQueue struct {
	name   string
	shards []string
}

// known returns the queues that are known, by name. Workers note each list that they take tasks from: those of a number
// of shards that the source was not told are known too.
func (s *source) known(ctx context.Context) ([]knownQueue, error) {
	if s.invalid != nil {
		return nil, s.invalid
	}
	noted, err := s.client.SMembers(ctx, s.delayed.queuesKey()).Result()
	if err != nil && !isWrongType(err) {
		return nil, fmt.Errorf("queues: %w", err)
	}
	names := append(append(noted, s.settings.Queues...), s.defaultQueue)
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(queueOfShard(a), queueOfShard(b)) })
	var queues []knownQueue
	for _, name := range names {
		queue := queueOfShard(name)
		if last := len(queues) - 1; last < 0 || queues[last].name != queue {
			queues = append(queues, knownQueue{name: queue})
		}
		last := &queues[len(queues)-1]
		last.shards = append(last.shards, name)
	}
	for i := range queues {
		slices.SortFunc(queues[i].shards, byShard)
		queues[i].shards = slices.Compact(queues[i].shards)
	}
	return queues, nil
}

// shardsOf returns the lists of a queue, or inspect.ErrNotFound for one that is not known.
func (s *source) shardsOf(ctx context.Context, queue string) ([]string, error) {
	queues, err := s.known(ctx)
	if err != nil {
		return nil, err
	}
	for _, q := range queues {
		if q.name == queue && queue != "" {
			return q.shards, nil
		}
	}
	return nil, fmt.Errorf("queue %s: %w", queue, inspect.ErrNotFound)
}

// lists returns those of all queues.
func lists(queues []knownQueue) []string {
	var all []string
	for _, q := range queues {
		all = append(all, q.shards...)
	}
	return all
}

// places are those of the tasks in a state, of a queue with the given shards.
func (s *queueReader) places(ctx context.Context, shards []string, state inspect.State) ([]place, error) {
	if state == inspect.Delayed {
		return s.delayedPlaces(), nil
	}
	var places []place
	for _, shard := range shards {
		some, err := s.placesOfShard(ctx, shard, state)
		if err != nil {
			return nil, err
		}
		places = append(places, some...)
	}
	return places, nil
}

func (s *queueReader) placesOfShard(ctx context.Context, shard string, state inspect.State) ([]place, error) {
	switch state {
	case inspect.Waiting:
		return s.waiting(ctx, shard)
	case inspect.Running:
		return s.running(ctx, shard)
	case inspect.PutBack:
		return putBackPlaces(shard), nil
	}
	return nil, fmt.Errorf("state %q: %w", state, inspect.ErrNotFound)
}
