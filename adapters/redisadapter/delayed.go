package redisadapter

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

const (
	// delayedBatch is how many due tasks are moved at a time: enough to hide the round trips, few enough not to hold
	// up other users of Redis.
	delayedBatch = 100
	// claimExpiry is after how long due tasks are taken from a worker that does not get done with them.
	claimExpiry = 5 * time.Second
	// claimedElsewhere is how long to wait while another worker moves due tasks.
	claimedElsewhere = 20 * time.Millisecond
	// deferredPoll is how often a worker looks for messages that others have deferred, and have not lived to release.
	deferredPoll = 20 * time.Second
	// missedPoll is how often a worker looks for delayed tasks of whose ETA it would have heard.
	missedPoll = 20 * time.Second
	// unreachableQueue is how long a due task waits whose queue could not be written to.
	unreachableQueue = 5 * time.Second
)

// claimDue moves due tasks from the delayed to the claimed, oldest first, for one claimant at a time, which keeps their
// order: a batch at most, and no more once they have so many bytes together. What an earlier claimant did not get done
// with comes first. It answers with the milliseconds until the next one is due, -1 when there is none, or -2 when
// another claimant is at work, and with the claimed messages.
var claimDue = redis.NewScript(clock + whenFull + `
local delayed, claimed, claim = KEYS[1], KEYS[2], KEYS[3]
local claimant, expiry, batch, maxBytes = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local holder = redis.call('GET', claim)
-- A claim that would last longer than any was made before the clock was set back.
if holder and holder ~= claimant and redis.call('PTTL', claim) <= tonumber(expiry) then
	return {-2}
end
local messages, bytes = {}, 0
for i = 0, batch - 1 do
	local message = bytes < maxBytes and redis.call('ZRANGE', claimed, i, i)[1]
	if not message then
		break
	end
	messages[#messages + 1], bytes = message, bytes + #message
end
local nanoseconds = time[1] * 1e9 + time[2] * 1e3
if #messages == 0 then
	local now = string.format('%.0f', nanoseconds)
	while #messages < batch and bytes < maxBytes do
		local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1)
		if #due == 0 then
			break
		end
		redis.call('ZADD', claimed, due[2], due[1])
		redis.call('ZREM', delayed, due[1])
		messages[#messages + 1], bytes = due[1], bytes + #due[1]
	end
end
local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
table.insert(messages, 1, first[2] and math.max(math.ceil((first[2] - nanoseconds) / 1e6), 0) or -1)
if #messages > 1 then
	redis.call('SET', claim, claimant, 'PX', expiry)
end
return messages
`)

// endClaim ends a claim: so many of the messages were pushed, and the rest, whose queues could not be written to, go
// back to the delayed for a while.
var endClaim = redis.NewScript(clock + whenFull + `
local delayed, claimed, claim = KEYS[1], KEYS[2], KEYS[3]
local claimant, pushed, pause = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
for i = 4, #ARGV do
	if i > 3 + pushed then
		redis.call('ZADD', delayed, string.format('%.0f', (now + pause) * 1e6), ARGV[i])
	end
	redis.call('ZREM', claimed, ARGV[i])
end
if redis.call('GET', claim) == claimant then
	redis.call('DEL', claim)
end
return 0
`)

// delayedTasks is the sorted set in which tasks wait for their ETA. In a Redis Cluster it does not lie where the queues
// do: due tasks are claimed beside it, pushed to their queues, and only then removed.
type delayedTasks struct {
	client       redis.UniversalClient
	letters      *DeadLetters
	defaultQueue string
	maxMessage   int
	key          string
	keys         []string // of the scripts
	news         *news
	sharding     *sharding // of the broker whose tasks are delayed
}

func newDelayedTasks(cnf *config.Config, client redis.UniversalClient, letters *DeadLetters, maxMessage int) delayedTasks {
	key := delayedTasksKey(cnf)
	return delayedTasks{
		client:       client,
		letters:      letters,
		defaultQueue: cnf.DefaultQueue,
		maxMessage:   maxMessage,
		key:          key,
		keys:         []string{key, beside(key, ":claimed"), beside(key, ":claim")},
		news:         &news{client: client, channel: soonerChannel(key)},
		sharding:     &sharding{},
	}
}

// soonerChannel is where a message is published when a task is delayed whose ETA comes before those of all others.
func soonerChannel(delayedKey string) string { return "machinery:sooner:" + delayedKey }

// addDelayed adds a task to the delayed ones, and tells the workers where it comes before all others. Whoever may send
// tasks may lack the right to publish: that is no reason not to send.
const addDelayed = `
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
if redis.call('ZRANK', KEYS[1], ARGV[2]) == 0 then
	redis.pcall('PUBLISH', ARGV[3], '')
end
return 0
`

// queuesKey is where the queues are that workers with these delayed tasks have consumed.
func (d *delayedTasks) queuesKey() string { return beside(d.key, ":queues") }

// noteQueue notes a queue of the deployment, for good: what is left in it is to be seen when its workers are gone.
func (d *delayedTasks) noteQueue(ctx context.Context, queue string) error {
	return noteQueueScript.Run(ctx, d.client, []string{d.queuesKey()}, queue).Err()
}

// addScript is refused by a full Redis, and addForScript is not: it sends what follows a task, by whose end Redis gains
// more.
var (
	addScript    = redis.NewScript(addDelayed)
	addForScript = redis.NewScript(whenFull + addDelayed)
)

func (d *delayedTasks) add(ctx context.Context, script *redis.Script, eta time.Time, message []byte) error {
	return script.Run(ctx, d.client, []string{d.key}, eta.UnixNano(), message, d.news.channel).Err()
}

// claim is what one worker is moving to the queues.
type claim struct {
	*delayedTasks
	claimant string
	// ending holds the arguments of an endClaim that has not succeeded yet.
	ending []any
}

// release moves a batch of due tasks to their queues, oldest first, and returns how long it is until the next ones, at
// most the time given. A worker that dies in between has its tasks moved again by another.
func (c *claim) release(ctx context.Context, maxWait time.Duration) (time.Duration, error) {
	if err := c.end(ctx); err != nil {
		return 0, err
	}
	wait, due, err := numbered(claimDue.Run(ctx, c.client, c.keys, c.claimant, claimExpiry.Milliseconds(), delayedBatch, maxReplyBytes))
	switch {
	case err != nil:
		return 0, err
	case wait == -2:
		return claimedElsewhere, nil
	case len(due) == 0:
		return untilDue(wait, maxWait), nil
	}
	pushed, failed, pushErr := c.push(ctx, due)
	c.ending = append([]any{c.claimant, len(pushed), unreachableQueue.Milliseconds()}, append(pushed, failed...)...)
	if err := c.end(ctx); err != nil {
		return 0, err
	}
	return 0, pushErr
}

func (c *claim) end(ctx context.Context) error {
	if c.ending == nil {
		return nil
	}
	if err := endClaim.Run(ctx, c.client, c.keys, c.ending...).Err(); err != nil {
		return err
	}
	c.ending = nil
	return nil
}

// push sends messages to the queues they name, and what is no task, or names a key that is no queue, to the dead
// letters. It returns which of them arrived.
func (c *claim) push(ctx context.Context, due []string) (pushed, failed []any, firstErr error) {
	byQueue := make(map[destination][]any)
	note := func(messages []any, err error) {
		if err == nil {
			pushed = append(pushed, messages...)
			return
		}
		failed = append(failed, messages...)
		if firstErr == nil {
			firstErr = err
		}
	}
	for _, message := range due {
		signature, err := delivery.DecodeWithin([]byte(message), c.maxMessage)
		if err != nil {
			note([]any{message}, c.deadLetter(ctx, message, c.key, err))
			continue
		}
		queue := signature.RoutingKey
		if queue == "" {
			queue = c.defaultQueue
		}
		to := destinationOf(c.sharding.pick(queue), signature)
		byQueue[to] = append(byQueue[to], message)
	}
	replies := make(map[destination]*redis.Cmd, len(byQueue))
	_, _ = c.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for to, messages := range byQueue {
			script, keys := to.whenFull()
			replies[to] = script.Eval(ctx, pipe, keys, messages...)
		}
		return nil
	})
	for to, reply := range replies {
		if isWrongType(reply.Err()) {
			for _, message := range byQueue[to] {
				note([]any{message}, c.deadLetter(ctx, text(message), queueOfShard(to.queue), reply.Err()))
			}
			continue
		}
		note(byQueue[to], reply.Err())
	}
	return pushed, failed, firstErr
}

// deadLetter keeps a message that cannot be pushed to a queue however often that is tried.
func (c *claim) deadLetter(ctx context.Context, message, queue string, reason error) error {
	return c.letters.add(ctx, rand.Text(), deadletter.Letter{Body: []byte(message), Queue: queue, Reason: reason.Error()})
}

// untilDue makes a pause of the milliseconds that a script answers; less than 0 stands for ever.
func untilDue(milliseconds int64, maxWait time.Duration) time.Duration {
	if milliseconds < 0 {
		return maxWait
	}
	return min(time.Duration(milliseconds)*time.Millisecond, maxWait)
}

// releaser moves due tasks, delayed and deferred ones, to their queues.
type releaser struct {
	claim      *claim // nil where another one sees to the delayed tasks
	processing *processing
	pollPeriod time.Duration
	ownSenders bool // see WithOwnSendersOnly
	lifecycle  *lifecycle.Worker
	outage     *delivery.Outage
	// nextDeferred is when to look at the deferred messages again.
	nextDeferred time.Time
}

func newReleaser(b *broker, l *lifecycle.Worker, p *processing) *releaser {
	return &releaser{
		processing: p,
		pollPeriod: delayedPollPeriod(b.GetConfig()),
		ownSenders: b.settings.ownSenders,
		lifecycle:  l,
		outage:     b.outage,
	}
}

// run ends when the worker stops.
func (r *releaser) run() {
	wake, leave := r.join()
	defer leave()
	failures := 0
	for !r.lifecycle.IsStopping() {
		began := r.outage.Begin()
		wait, err := r.release(context.Background())
		r.outage.Note("move delayed tasks to their queues", began, err)
		if failures++; err == nil {
			failures = 0
		} else {
			wait = outagePauses.Pause(failures)
		}
		r.wait(wait, wake)
	}
}

// join returns what tells of delayed tasks, which is nothing where another one sees to them.
func (r *releaser) join() (wake <-chan struct{}, leave func()) {
	if r.claim == nil {
		return nil, func() {}
	}
	return r.claim.news.join()
}

// wait ends early when a task may come before those that were known, and when a message was deferred.
func (r *releaser) wait(longest time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-r.lifecycle.Stopping().Done():
	case <-timer.C:
	case <-wake:
	case <-r.processing.deferred:
		r.nextDeferred = time.Time{}
	}
}

// maxWait is how long to wait where no task is known to be due before.
func (r *releaser) maxWait() time.Duration {
	if r.ownSenders && r.claim.news.heard.Load() {
		return missedPoll
	}
	return r.pollPeriod
}

// release returns how long to wait before the next. What fails with the delayed tasks does not keep the deferred ones
// waiting.
func (r *releaser) release(ctx context.Context) (time.Duration, error) {
	wait, err := r.releaseDelayed(ctx)
	deferredWait, deferredErr := r.releaseDeferred(ctx)
	return min(wait, deferredWait), errors.Join(err, deferredErr)
}

func (r *releaser) releaseDelayed(ctx context.Context) (time.Duration, error) {
	if r.claim == nil {
		return r.pollPeriod, nil
	}
	return r.claim.release(ctx, r.maxWait())
}

func (r *releaser) releaseDeferred(ctx context.Context) (time.Duration, error) {
	if wait := time.Until(r.nextDeferred); wait > 0 {
		return wait, nil
	}
	wait, err := r.processing.releaseDeferred(ctx, deferredPoll)
	if err == nil {
		r.nextDeferred = time.Now().Add(wait)
	}
	return wait, err
}
