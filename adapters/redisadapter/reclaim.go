package redisadapter

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-redis/redis/v8"
)

const (
	// isolateAfter is how many workers have died while they ran a message, before it runs apart from others like it.
	isolateAfter = 2
	// maxCounted bounds how many messages have their failures counted. Those with the fewest are forgotten first.
	maxCounted = 10_000
	// countsExpire forgets all counts when no delivery has failed for so long.
	countsExpire = 7 * 24 * time.Hour
	// forgottenAfter is how long a dead consumer without messages is remembered: longer than a request of its own
	// can possibly be on its way to give it one.
	forgottenAfter = time.Hour
)

// reclaim returns what an overdue consumer has, oldest first, to the head of the queue, and counts that as a failure of
// each message; once for all copies of one. Those that failed often are isolated. It does nothing for a consumer that
// was heard of meanwhile. It pushes first, because a script that fails keeps what it did so far.
var reclaim = redis.NewScript(clock + whenFull + `
local processing, queue, consumers, deliveries, isolated = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local consumer, isolateAfter = ARGV[1], tonumber(ARGV[2])
local maxCounted, countsExpire, forgottenAfter = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])

local due = redis.call('ZSCORE', consumers, consumer)
if not due or now <= tonumber(due) then
	return 0
end
local messages = redis.call('LRANGE', processing, 0, -1)
if #messages == 0 then
	if now - due > forgottenAfter then
		redis.call('ZREM', consumers, consumer)
	end
	return 0
end
local failures = {}
for i = #messages, 1, -1 do
	local digest = redis.sha1hex(messages[i])
	failures[digest] = failures[digest] or tonumber(redis.call('ZINCRBY', deliveries, 1, digest))
	local target = failures[digest] >= isolateAfter and isolated or queue
	redis.call('LPUSH', target, messages[i])
end
redis.call('ZREMRANGEBYRANK', deliveries, 0, -maxCounted - 1)
redis.call('PEXPIRE', deliveries, countsExpire)
redis.call('DEL', processing)
return #messages
`)

// reclaimer takes the messages of dead consumers back.
type reclaimer struct {
	client      redis.UniversalClient
	keys        queueKeys
	maxAttempts int
	logger      *slog.Logger // has the queue
}

func (r *reclaimer) reclaim(consumer string) error {
	keys := []string{r.keys.processing(consumer), r.keys.queue, r.keys.consumers, r.keys.deliveries, r.keys.isolated}
	count, err := reclaim.Run(context.Background(), r.client, keys, consumer,
		min(isolateAfter, r.maxAttempts), maxCounted, countsExpire.Milliseconds(), forgottenAfter.Milliseconds()).Int()
	if count > 0 {
		r.logger.Warn("another worker died, put its tasks back on the queue", "tasks", count)
	}
	return err
}
