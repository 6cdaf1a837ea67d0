package redisadapter_test

import (
	"errors"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// Whatever an entry of the stream holds, it is listed as it is, and replayed or not: nothing panics, and a letter that
// cannot be replayed stays.
func FuzzDeadLetter(f *testing.F) {
	f.Add([]byte(`{"Name":"add","UUID":"a","RoutingKey":"work"}`), "work", "no good")
	f.Add([]byte(`{"Name":"add","Headers":{"envelope-attempts":"3","x":[{}]},"ETA":"2001-02-03T04:05:06Z"}`), "", "")
	f.Add([]byte(`{"Name":"add","RoutingKey":"letters"}`), "letters", "a queue that is no list")
	f.Add([]byte(`null`), "work", "\xff")
	server := miniredis.NewMiniRedis()
	require.NoError(f, server.Start())
	f.Cleanup(server.Close)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	f.Cleanup(func() { _ = client.Close() })
	f.Fuzz(func(t *testing.T, body []byte, queue, reason string) {
		server.FlushAll()
		letters := redisadapter.NewDeadLetters(client, "letters")
		entry := &redis.XAddArgs{Stream: "letters", Values: []any{"message", body, "queue", queue, "reason", reason}}
		require.NoError(t, client.XAdd(t.Context(), entry).Err())
		kept := awaitLetters(t, letters, 1)[0]
		assert.Equal(t, string(body), string(kept.Body))
		assert.Equal(t, queue, kept.Queue)
		assert.Equal(t, reason, kept.Reason)
		err := letters.Replay(t.Context(), kept.ID)
		if err == nil {
			require.NotNil(t, kept.Task)
			assert.Zero(t, count(t, letters))
			return
		}
		assert.True(t, errors.Is(err, deadletter.ErrNoTask) || errors.Is(err, deadletter.ErrUnknownQueue), "%v", err)
		assert.Equal(t, 1, count(t, letters))
	})
}
