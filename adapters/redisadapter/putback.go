package redisadapter

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2/log"
	"github.com/go-redis/redis/v8"
)

const (
	// A task whose processing ended with an error comes again after a pause that doubles from the first to the last.
	firstPutBack = time.Second
	lastPutBack  = time.Minute
)

// putBack moves a message from the processing to the deferred ones and counts the failure. It answers with the
// failures so far; when they have reached the limit it leaves the message where it is; 0 means that the message is
// not the consumer's any more. Sorted sets hold a member once: the label keeps copies apart. It removes last, because
// a script that fails keeps what it did so far.
var putBack = redis.NewScript(clock + `
local processing, deferred, deliveries = KEYS[1], KEYS[2], KEYS[3]
local message, label, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local firstPause, lastPause = tonumber(ARGV[4]), tonumber(ARGV[5])
local mostCounted, countsExpire = tonumber(ARGV[6]), ARGV[7]

if not redis.call('LPOS', processing, message) then
	return 0
end
local failures = tonumber(redis.call('ZINCRBY', deliveries, 1, redis.sha1hex(message)))
redis.call('ZREMRANGEBYRANK', deliveries, 0, -mostCounted - 1)
redis.call('PEXPIRE', deliveries, countsExpire)
if failures >= limit then
	return failures
end
local pause = math.min(firstPause * 2 ^ (failures - 1), lastPause)
redis.call('ZADD', deferred, string.format('%.0f', now + pause), label .. ':' .. message)
redis.call('LREM', processing, 1, message)
return failures
`)

// releaseDeferred moves messages whose pause is over to the queue. It answers with the milliseconds until the next one
// is due, or -1.
var releaseDeferred = redis.NewScript(clock + `
local deferred, queue, most = KEYS[1], KEYS[2], ARGV[1]
local due = redis.call('ZRANGEBYSCORE', deferred, '-inf', string.format('%.0f', now), 'LIMIT', 0, most)
for _, member in ipairs(due) do
	redis.call('RPUSH', queue, string.sub(member, string.find(member, ':', 1, true) + 1))
	redis.call('ZREM', deferred, member)
end
local first = redis.call('ZRANGE', deferred, 0, 0, 'WITHSCORES')
return first[2] and math.max(first[2] - now, 0) or -1
`)

// putBack makes a message come again, or gives it to the dead letters when it has come often enough.
func (c *consumer) putBack(message string, cause error) outcome {
	label := rand.Text()
	var failures int
	o := c.insist(moved, "put a task back on "+c.keys.queue, func(ctx context.Context) (err error) {
		keys := []string{c.processing, c.keys.deferred, c.keys.deliveries}
		failures, err = putBack.Run(ctx, c.client, keys, message, label, c.deliveryLimit,
			firstPutBack.Milliseconds(), lastPutBack.Milliseconds(), mostCounted, countsExpire.Milliseconds()).Int()
		return err
	})
	if o == kept || failures < c.deliveryLimit {
		return o
	}
	log.ERROR.Printf("redisadapter: a task on %s was put back %d times, goes to the dead letters", c.keys.queue, failures-1)
	return c.bury(message, fmt.Errorf("%w: %w", ErrDeliveryLimit, cause))
}

// releaseDeferred returns how long it is until the next pause ends, at most the time given.
func (c *consumer) releaseDeferred(most time.Duration) (time.Duration, error) {
	keys := []string{c.keys.deferred, c.keys.queue}
	wait, err := releaseDeferred.Run(context.Background(), c.client, keys, delayedBatch).Int64()
	if err != nil {
		return 0, err
	}
	return untilDue(wait, most), nil
}
