package redisadapter_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// Workers go by the clock of Redis. What was to come soon comes soon by the new time too: the tasks of a worker that
// died, and those that were put back.
func TestClockOfRedisMayJumpByAnHour(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"on": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, server := embedded(t)
			const heartbeatTimeout = 400 * time.Millisecond
			var seen journal
			work(t, newWorkingBroker(s, redisadapter.WithHeartbeatTimeout(heartbeatTimeout)), 1, &processor{Func: seen.Add})
			s.enqueue(t, message("before"))
			seen.AwaitInOrder(t, "before")

			soon := float64(time.Now().Add(heartbeatTimeout).UnixMilli())
			require.NoError(t, s.client.RPush(context.Background(), s.key("processing:dead"), message("of the dead")).Err())
			for key, member := range map[string]string{"consumers": "dead", "deferred": "label:" + message("put back")} {
				require.NoError(t, s.client.ZAdd(context.Background(), s.key(key), &redis.Z{Score: soon, Member: member}).Err())
			}
			server.SetTime(time.Now().Add(jump))
			s.enqueue(t, message("after"))
			eventually(t, func() bool {
				server.SetTime(time.Now().Add(jump)) // it stands still otherwise
				return seen.Len() == 4
			})
			require.ElementsMatch(t, []string{"before", "of the dead", "put back", "after"}, seen.UUIDs())
		})
	}
}
