package redisadapter

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// queueReader reads what is in queues.
type queueReader struct {
	client       redis.UniversalClient
	delayed      delayedTasks
	defaultQueue string
	maxMessage   int
}

// A place is a key in which tasks of one state are.
type place struct {
	state      inspect.State
	queue      string // or its shard; empty for the delayed tasks, which name theirs
	key        string
	deliveries string // where failures are counted; empty for the delayed tasks
	worker     string // that runs the tasks
	scores     scores
	claimed    bool // the tasks are on their way to their queues
}

// scores is what the scores of a sorted set are.
type scores int

const (
	none         scores = iota // it is a list
	nanoseconds                // of the ETA
	milliseconds               // of the time when a message comes again, which stands behind a label
)

// liveConsumer is what a queue tells of a consumer.
type liveConsumer struct {
	id     string
	due    time.Time // of its next heartbeat
	report workerReport
}

// workerID is the consumer's own where the worker does not tell.
func (c liveConsumer) workerID() string {
	if c.report.ID == "" {
		return c.id
	}
	return c.report.ID
}

// waiting are the lists of what waits, the next to be taken first.
func (s *queueReader) waiting(ctx context.Context, queue string) ([]place, error) {
	keys := keysOf(queue)
	prioritized, err := s.client.Exists(ctx, keys.priorities).Result()
	if err != nil {
		return nil, fmt.Errorf("priorities of queue %s: %w", queue, err)
	}
	var places []place
	for priority := maxPriority; prioritized > 0 && priority > 0; priority-- {
		places = append(places, keys.place(inspect.Waiting, keys.level(priority)))
	}
	return append(places, keys.place(inspect.Waiting, queue)), nil
}

func (k queueKeys) place(state inspect.State, key string) place {
	return place{state: state, queue: k.queue, key: key, deliveries: k.deliveries}
}

// running are the lists of what workers have taken, dead ones too: others have not taken it back yet.
func (s *queueReader) running(ctx context.Context, queue string) ([]place, error) {
	consumers, err := s.consumers(ctx, queue)
	if err != nil {
		return nil, err
	}
	keys := keysOf(queue)
	places := make([]place, len(consumers))
	for i, c := range consumers {
		places[i] = keys.place(inspect.Running, keys.processing(c.id))
		places[i].worker = c.workerID()
	}
	return places, nil
}

func putBackPlaces(queue string) []place {
	keys := keysOf(queue)
	deferred := keys.place(inspect.PutBack, keys.deferred)
	deferred.scores = milliseconds
	return []place{keys.place(inspect.PutBack, keys.isolated), deferred}
}

func (s *queueReader) delayedPlaces() []place {
	places := []place{
		{state: inspect.Delayed, key: s.delayed.keys[1], scores: nanoseconds, claimed: true},
		{state: inspect.Delayed, key: s.delayed.key, scores: nanoseconds},
	}
	return places
}

// consumers returns those of a queue, by ID, with what they have reported.
func (s *queueReader) consumers(ctx context.Context, queue string) ([]liveConsumer, error) {
	keys := keysOf(queue)
	members, err := s.client.ZRangeByScoreWithScores(ctx, keys.consumers, &redis.ZRangeBy{Min: "-inf", Max: "+inf"}).Result()
	if err != nil && !isWrongType(err) {
		return nil, fmt.Errorf("workers of queue %s: %w", queue, err)
	}
	consumers := make([]liveConsumer, len(members))
	replies := make([]*redis.StringCmd, len(members))
	_, _ = s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, member := range members {
			consumers[i] = liveConsumer{id: text(member.Member), due: time.UnixMilli(int64(member.Score))}
			replies[i] = pipe.Get(ctx, keys.report(consumers[i].id))
		}
		return nil
	})
	for i, reply := range replies {
		if err := reply.Err(); err != nil && !isReply(err) {
			return nil, fmt.Errorf("workers of queue %s: %w", queue, err)
		}
		var report workerReport
		if err := json.Unmarshal([]byte(reply.Val()), &report); err == nil {
			consumers[i].report = report
		}
	}
	return consumers, nil
}

// now is the time by the clock of Redis.
func (s *queueReader) now(ctx context.Context) (time.Time, error) {
	now, err := s.client.Time(ctx).Result()
	if err != nil {
		return time.Time{}, fmt.Errorf("clock of redis: %w", err)
	}
	return now, nil
}

// time reads a score.
func (sc scores) time(score string) time.Time {
	number, err := strconv.ParseFloat(score, 64)
	if err != nil || sc == none {
		return time.Time{}
	}
	if sc == milliseconds {
		return time.UnixMilli(int64(number)).UTC()
	}
	return time.Unix(0, int64(number)).UTC()
}
