package redisadapter_test

import (
	"fmt"
	"testing"

	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// A sender writes a UUID as it likes: it is the same one, whatever stands for its characters.
func TestATaskThatWasListedIsFoundHoweverItsUUIDIsWritten(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		source := redisadapter.NewSource(s.cnf, s.client)
		for i, body := range []string{
			`{"UUID":"a<script>","Name":"add"}`,
			`{"UUID":"\u0061-escaped","Name":"add"}`,
			`{"UUID":"a\/b","Name":"add"}`,
			`{"UUID":"é","Name":"add"}`,
			`{"\u0055UID":"\u00e9\u001b[2J","Name":"add"}`,
			`{"Name":"add","UUID":"a b\ud800"}`,
		} {
			filler := message(fmt.Sprint("before-", i))
			require.NoError(t, s.client.RPush(t.Context(), s.cnf.DefaultQueue, filler, body).Err())
		}
		listed := listOf(t, s, source, inspect.Waiting)
		require.Len(t, listed, 12)
		for _, uuid := range listed {
			found, err := source.Task(t.Context(), uuid)
			require.NoError(t, err, "%q", uuid)
			require.Equal(t, uuid, found.UUID)
			require.NoError(t, source.Delete(t.Context(), uuid), "%q", uuid)
			_, err = source.Task(t.Context(), uuid)
			require.ErrorIs(t, err, inspect.ErrNotFound, "%q", uuid)
		}
		require.Empty(t, listOf(t, s, source, inspect.Waiting))
	})
}

// Whoever else uses this Redis may have taken a key: the other queues are shown all the same.
func TestAKeyOfAnotherTypeHidesNoOtherQueue(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		queue := s.cnf.DefaultQueue
		for _, suffix := range []string{
			"", ":consumers", ":deferred", ":isolated", ":paused", ":priorities", ":deliveries", ":dead", ":done",
		} {
			taken := queue + "-taken"
			source := redisadapter.NewSource(s.cnf, s.client, inspect.WithQueues(taken))
			require.NoError(t, s.client.RPush(t.Context(), queue, message("a")).Err())
			key := "{" + taken + "}" + suffix
			if suffix == "" {
				key = taken
			}
			for _, set := range []func(string) error{
				func(key string) error { return s.client.Set(t.Context(), key, "x", 0).Err() },
				func(key string) error { return s.client.HSet(t.Context(), key, "x", "y").Err() },
				func(key string) error {
					return s.client.XAdd(t.Context(), &redis.XAddArgs{Stream: key, Values: []string{"a", "b"}}).Err()
				},
			} {
				require.NoError(t, s.client.Del(t.Context(), taken).Err())
				require.NoError(t, set(key))
				want := 0
				if suffix != "" {
					require.NoError(t, s.client.RPush(t.Context(), taken, message("b")).Err())
					want = 1
				}
				queues, err := source.Queues(t.Context())
				require.NoError(t, err, key)
				require.Len(t, queues, 2)
				require.Positive(t, queues[0].Waiting)
				require.Equal(t, want, queues[1].Waiting, key)
				listed, err := source.Tasks(t.Context(), taken, inspect.Waiting, inspect.Page{})
				require.NoError(t, err, key)
				require.Len(t, listed.Tasks, want, key)
				_, err = source.Workers(t.Context())
				require.NoError(t, err, key)
				for _, state := range inspect.States() {
					_, err := source.Tasks(t.Context(), taken, state, inspect.Page{})
					require.NoError(t, err, "%s %s", key, state)
				}
				_, err = source.Letters(t.Context(), taken, inspect.Page{})
				require.NoError(t, err, key)
				_, err = source.Task(t.Context(), "a")
				require.NoError(t, err, key)
				require.ErrorIs(t, source.Delete(t.Context(), "gone"), inspect.ErrNotFound)
				require.NoError(t, s.client.Del(t.Context(), key).Err())
			}
		}
	})
}
