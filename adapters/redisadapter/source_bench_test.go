package redisadapter_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// fill puts so many tasks in a queue and among the delayed ones, and so many letters in its dead letters. The UUIDs are
// w-<i>, d-<i> and l-<i>.
var fill = redis.NewScript(`
local function task(uuid)
	return '{"UUID":"' .. uuid .. '","Name":"orders.charge","RoutingKey":"' .. ARGV[4] .. '","ETA":null,"GroupUUID":"",' ..
		'"GroupTaskCount":0,"Args":[{"Name":"","Type":"string","Value":"{\\"$envelope\\":1,\\"type\\":\\"orders.Order\\",' ..
		'\\"data\\":{\\"id\\":\\"o-1\\",\\"qty\\":3}}"}],"Headers":{},"Priority":0,"Immutable":false,"RetryCount":3}'
end
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
	if ARGV[3] == 'w' then
		redis.call('RPUSH', KEYS[1], task('w-' .. i))
	elseif ARGV[3] == 'd' then
		redis.call('ZADD', KEYS[1], 4e18 + i * 1e6, task('d-' .. i))
	else
		redis.call('XADD', KEYS[1], '*', 'message', task('l-' .. i), 'queue', '', 'reason', 'no good')
	end
end
return 0
`)

func fillWith(b *testing.B, s *site, key, kind string, many int) {
	const step = 10_000
	for i := 0; i < many; i += step {
		require.NoError(b, fill.Run(b.Context(), s.client, []string{key}, i, min(i+step, many)-1, kind, s.cnf.DefaultQueue).Err())
	}
}

// BenchmarkSourceOfAMillionTasks has a million tasks wait, as many delayed, and 100,000 dead letters. slow/op is how many
// commands took Redis more than 10 ms, by its SLOWLOG.
func BenchmarkSourceOfAMillionTasks(b *testing.B) {
	const many, letters = 1_000_000, 100_000
	options := realRedis(b)
	client := redis.NewClient(options)
	s := &site{client: client, name: "test-bench", cnf: configOf("test-bench")}
	s.removeKeys()
	b.Cleanup(func() {
		s.removeKeys()
		require.NoError(b, client.Close())
	})
	fillWith(b, s, s.cnf.DefaultQueue, "w", many)
	fillWith(b, s, s.cnf.Redis.DelayedTasksKey, "d", many)
	fillWith(b, s, redisadapter.DeadLettersKey(s.cnf.DefaultQueue), "l", letters)
	source := redisadapter.NewSource(s.cnf, client)
	queue := s.cnf.DefaultQueue
	page := func(state inspect.State, position, limit int) func(context.Context) error {
		return func(ctx context.Context) error {
			cursor := fmt.Sprintf("0.%d.-1", position)
			if state == inspect.Delayed {
				cursor = fmt.Sprintf("1.%d.-1", position)
			}
			got, err := source.Tasks(ctx, queue, state, inspect.Page{Cursor: cursor, Limit: limit})
			require.Len(b, got.Tasks, limit)
			return err
		}
	}
	find := func(uuid string) func(context.Context) error {
		return func(ctx context.Context) error { _, err := source.Task(ctx, uuid); return err }
	}
	deleted := 0
	for _, c := range []struct {
		name string
		call func(context.Context) error
	}{
		{"Queues", func(ctx context.Context) error { _, err := source.Queues(ctx); return err }},
		{"Workers", func(ctx context.Context) error { _, err := source.Workers(ctx); return err }},
		{"Waiting", page(inspect.Waiting, 0, 50)},
		{"WaitingInTheMiddle", page(inspect.Waiting, many/2, 50)},
		{"WaitingInTheMiddleThousand", page(inspect.Waiting, many/2, 1000)},
		{"DelayedInTheMiddleThousand", page(inspect.Delayed, many/2, 1000)},
		{"Letters", func(ctx context.Context) error {
			_, err := source.Letters(ctx, queue, inspect.Page{Limit: 1000})
			return err
		}},
		{"TaskAtTheHead", find("w-0")},
		{"TaskAtTheEnd", find(fmt.Sprint("w-", many-1))},
		{"TaskDelayedLast", find(fmt.Sprint("d-", many-1))},
		{"TaskNowhere", func(ctx context.Context) error {
			_, err := source.Task(ctx, "nowhere")
			require.ErrorIs(b, err, inspect.ErrNotFound)
			return nil
		}},
		{"DeleteOfAListed", func(ctx context.Context) error {
			deleted++
			cursor := fmt.Sprintf("0.%d.-1", many/2-deleted)
			got, err := source.Tasks(ctx, queue, inspect.Waiting, inspect.Page{Cursor: cursor, Limit: 1})
			require.NoError(b, err)
			return source.Delete(ctx, got.Tasks[0].UUID)
		}},
		{"DeleteInTheMiddle", func(ctx context.Context) error {
			deleted++
			return source.Delete(ctx, fmt.Sprint("w-", many/2+deleted))
		}},
		{"DeleteAtTheEnd", func(ctx context.Context) error {
			deleted++
			return source.Delete(ctx, fmt.Sprint("w-", many-deleted))
		}},
	} {
		b.Run(c.name, func(b *testing.B) { measure(b, client, c.call) })
	}
}

// measure reports the commands that were slow, the longest of them, and the most memory that a call has allocated.
func measure(b *testing.B, client *redis.Client, call func(context.Context) error) {
	ctx := b.Context()
	require.NoError(b, client.ConfigSet(ctx, "slowlog-log-slower-than", "1000").Err())
	require.NoError(b, client.Do(ctx, "slowlog", "reset").Err())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		require.NoError(b, call(ctx))
	}
	runtime.ReadMemStats(&after)
	entries, err := client.SlowLogGet(ctx, 100_000).Result()
	require.NoError(b, err)
	slow, longest := 0, time.Duration(0)
	for _, e := range entries {
		longest = max(longest, e.Duration)
		if e.Duration > 10*time.Millisecond {
			slow++
		}
	}
	b.ReportMetric(float64(slow)/float64(b.N), "slow/op")
	b.ReportMetric(float64(longest.Microseconds())/1000, "longest-ms")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/(1<<20), "MiB/op")
}
