package redisadapter

import (
	"context"
	"fmt"
	"time"

	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// maxDelayedCounted bounds how many delayed tasks are read to count those of each queue.
const maxDelayedCounted = 500

// countQueue answers with how many messages a queue has that wait, run, and were put back, whether it is paused, with the
// beginning of the first that waits, and with how many are done. The keys after the first six are the lists of what waits, the next to be
// taken first, so many as the first argument says, and then those of what workers have taken.
// What is of another type is no queue's, and counts as nothing.
var countQueue = redis.NewScript(`
local function count(command, key)
	local n = redis.pcall(command, key)
	if type(n) == 'table' then
		return string.find(n.err, 'WRONGTYPE', 1, true) and 0 or redis.call(command, key)
	end
	return tonumber(n or 0) or 0
end
local queue, deferred, isolated, paused, priorities, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local levels, cut = tonumber(ARGV[1]), tonumber(ARGV[2])
local prioritized = redis.call('EXISTS', priorities) == 1
local waiting, running, first = count('LLEN', queue), 0, ''
for i = 7, #KEYS do
	if i >= 7 + levels then
		running = running + count('LLEN', KEYS[i])
	elseif prioritized then
		local length = count('LLEN', KEYS[i])
		if length > 0 and first == '' then
			first = redis.call('LINDEX', KEYS[i], 0)
		end
		waiting = waiting + length
	end
end
if first == '' and waiting > 0 then
	first = redis.call('LINDEX', queue, 0) or ''
end
local putBack = count('ZCARD', deferred) + count('LLEN', isolated)
return {waiting, running, putBack, redis.call('EXISTS', paused), string.sub(first, 1, cut), count('GET', done)}
`)

// Queues returns the queues by name. It makes a few requests for each, however much is in them.
func (s *source) Queues(ctx context.Context) ([]inspect.Queue, error) {
	known, err := s.known(ctx)
	if err != nil {
		return nil, err
	}
	now, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	delayed, err := s.countDelayed(ctx, len(known))
	if err != nil {
		return nil, fmt.Errorf("delayed tasks: %w", err)
	}
	queues := make([]inspect.Queue, len(known))
	for i, q := range known {
		if queues[i], err = s.countShards(ctx, q, now); err != nil {
			return nil, err
		}
		queues[i].Delayed = delayed(q.name)
	}
	return queues, s.countLetters(ctx, queues)
}

// countShards counts all of a queue but its delayed tasks and dead letters.
func (s *source) countShards(ctx context.Context, known knownQueue, now time.Time) (inspect.Queue, error) {
	all, firsts := inspect.Queue{Name: known.name, Paused: true}, make([]string, len(known.shards))
	for i, shard := range known.shards {
		q, first, err := s.count(ctx, shard, now)
		if err != nil {
			return all, fmt.Errorf("queue %s: %w", shard, err)
		}
		firsts[i] = first
		all.Waiting, all.Running, all.PutBack = all.Waiting+q.Waiting, all.Running+q.Running, all.PutBack+q.PutBack
		all.Done += q.Done
		all.Workers = max(all.Workers, q.Workers) // each takes from all
		all.Paused = all.Paused && q.Paused
	}
	sent, err := s.sent(ctx, firsts)
	if err != nil {
		return all, err
	}
	for _, t := range sent {
		if all.Oldest.IsZero() || !t.IsZero() && t.Before(all.Oldest) {
			all.Oldest = t
		}
	}
	return all, nil
}

// count counts what is in one list, or beside it, and returns the UUID of the next task.
func (s *source) count(ctx context.Context, name string, now time.Time) (q inspect.Queue, first string, err error) {
	keys := keysOf(name)
	members, err := s.client.ZRangeByScoreWithScores(ctx, keys.consumers, &redis.ZRangeBy{Min: "-inf", Max: "+inf"}).Result()
	if err != nil && !isWrongType(err) {
		return q, "", err
	}
	asked := []string{name, keys.deferred, keys.isolated, keys.paused, keys.priorities, keys.done}
	for priority := maxPriority; priority > 0; priority-- {
		asked = append(asked, keys.level(priority))
	}
	for _, member := range members {
		asked = append(asked, keys.processing(text(member.Member)))
		if member.Score >= float64(now.UnixMilli()) {
			q.Workers++
		}
	}
	reply, err := countQueue.Run(ctx, s.client, asked, maxPriority, headBytes).Slice()
	if err != nil || len(reply) < 6 {
		return q, "", err
	}
	q.Waiting, q.Running, q.PutBack = integer(reply[0]), integer(reply[1]), integer(reply[2])
	q.Paused, q.Done = integer(reply[3]) > 0, max(0, integer(reply[5]))
	return q, readHead(text(reply[4])).UUID, nil
}

// countDelayed returns a function that says how many delayed tasks a queue has.
func (s *source) countDelayed(ctx context.Context, queues int) (func(queue string) int, error) {
	counts, total := make(map[string]int), 0
	for _, p := range s.delayedPlaces() {
		for r := (reading{follow: unknownFollow, want: 1, cut: headBytes}); ; {
			got, err := s.read(ctx, &p, r)
			if err != nil {
				return nil, err
			}
			for _, e := range got.entries {
				counts[s.taskOf(e).Queue]++
			}
			if r.from == 0 {
				total += got.length
			}
			if queues == 1 || total > maxDelayedCounted || len(got.entries) == 0 || got.next >= got.length {
				break
			}
			r.from, r.want = got.next, maxDelayedCounted
		}
	}
	return func(queue string) int {
		switch {
		case queues == 1:
			return total
		case total > maxDelayedCounted:
			return inspect.Unknown
		}
		return counts[queue]
	}, nil
}

// countLetters counts dead letters, of all queues at once.
func (s *source) countLetters(ctx context.Context, queues []inspect.Queue) error {
	if s.letters != nil && len(queues) > 1 {
		for i := range queues {
			queues[i].Dead = inspect.Unknown
		}
		return nil
	}
	replies := make([]*redis.IntCmd, len(queues))
	_, _ = s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := range queues {
			replies[i] = pipe.XLen(ctx, s.lettersOf(queues[i].Name).key)
		}
		return nil
	})
	for i, reply := range replies {
		if err := reply.Err(); err != nil && !isReply(err) {
			return fmt.Errorf("dead letters: %w", err)
		}
		queues[i].Dead = int(reply.Val())
	}
	return nil
}
