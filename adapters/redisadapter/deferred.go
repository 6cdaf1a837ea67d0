package redisadapter

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"time"

	"github.com/go-redis/redis/v8"
)

// deferMessage moves a message from the processing to the deferred ones and counts the failure. It answers with the
// failures so far; when they have reached the limit it leaves the message where it is; 0 means that the message is not
// the consumer's any more. It counts nothing where the limit is 0. Sorted sets hold a member once: the label keeps
// copies apart. It removes last, because a script that fails keeps what it did so far.
var deferMessage = redis.NewScript(clock + whenFull + `
local processing, deferred, deliveries = KEYS[1], KEYS[2], KEYS[3]
local message, label, limit, pause = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local maxCounted, countsExpire = tonumber(ARGV[5]), ARGV[6]

if not redis.call('LPOS', processing, message) then
	return 0
end
local failures = 0
if limit > 0 then
	failures = tonumber(redis.call('ZINCRBY', deliveries, 1, redis.sha1hex(message)))
	redis.call('ZREMRANGEBYRANK', deliveries, 0, -maxCounted - 1)
	redis.call('PEXPIRE', deliveries, countsExpire)
	if failures >= limit then
		return failures
	end
end
redis.call('ZADD', deferred, string.format('%.0f', now + pause), label .. ':' .. message)
redis.call('LREM', processing, 1, message)
return failures
`)

// deferral says how a message comes again. The label is the same when the request is repeated. No attempt is counted
// where maxAttempts is 0.
type deferral struct {
	label       string
	maxAttempts int
	pause       time.Duration
}

// deferMessage returns the failures so far, as many as maxAttempts where the message was left in its place.
func (p *processing) deferMessage(ctx context.Context, body string, d deferral) (failures int, err error) {
	defer signal(p.deferred)
	keys := []string{p.key, p.keys.deferred, p.keys.deliveries}
	return deferMessage.Run(ctx, p.client, keys, body, d.label, d.maxAttempts, d.pause.Milliseconds(),
		maxCounted, countsExpire.Milliseconds()).Int()
}

// failures returns how many attempts at a message have failed so far.
func (p *processing) failures(ctx context.Context, body string) (int, error) {
	count, err := p.client.ZScore(ctx, p.keys.deliveries, digestOf(body)).Result()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	return int(count), err
}

// digestOf is by what scripts know a message, as their redis.sha1hex.
func digestOf(body string) string {
	digest := sha1.Sum([]byte(body))
	return hex.EncodeToString(digest[:])
}

// releaseDeferred moves messages whose pause is over to the queue. It answers with the milliseconds until the next one
// is due, or -1.
var releaseDeferred = redis.NewScript(clock + whenFull + `
local function append(queue, message) redis.call('RPUSH', queue, message) end
` + releaseDeferredBody)

const releaseDeferredBody = `
local deferred, queue, batch = KEYS[1], KEYS[2], ARGV[1]
local due = redis.call('ZRANGEBYSCORE', deferred, '-inf', string.format('%.0f', now), 'LIMIT', 0, batch)
for _, member in ipairs(due) do
	append(queue, string.sub(member, string.find(member, ':', 1, true) + 1))
	redis.call('ZREM', deferred, member)
end
local first = redis.call('ZRANGE', deferred, 0, 0, 'WITHSCORES')
return first[2] and math.max(first[2] - now, 0) or -1
`

// releaseDeferred returns how long it is until the next pause ends, at most the time given.
func (p *processing) releaseDeferred(ctx context.Context, maxWait time.Duration) (time.Duration, error) {
	script, keys := releaseDeferred, []string{p.keys.deferred, p.keys.queue}
	if p.levels != nil {
		script, keys = releaseDeferredByPriority, append(keys, p.levels...)
	}
	wait, err := script.Run(ctx, p.client, keys, delayedBatch).Int64()
	if err != nil {
		return 0, err
	}
	return untilDue(wait, maxWait), nil
}
