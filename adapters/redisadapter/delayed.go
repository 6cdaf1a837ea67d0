package redisadapter

import (
	"context"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/go-redis/redis/v8"
)

const (
	// delayedBatch is how many due tasks are moved at a time: enough to hide the round trips, few enough not to hold
	// up other users of Redis.
	delayedBatch = 100
	// claimExpiry is after how long due tasks are taken from a worker that does not get done with them.
	claimExpiry = 5 * time.Second
	// claimedElsewhere is how long to wait while another worker moves due tasks.
	claimedElsewhere = 20 * time.Millisecond
	// unreachableQueue is how long a due task waits whose queue could not be written to.
	unreachableQueue = 5 * time.Second
)

// claimDue moves due tasks from the delayed to the claimed, oldest first, for one claimant at a time, which keeps their
// order. What an earlier claimant did not get done with comes first. It answers with the milliseconds until the next
// one is due, -1 when there is none, or -2 when another claimant is at work, and with the claimed messages.
var claimDue = redis.NewScript(clock + `
local delayed, claimed, claim = KEYS[1], KEYS[2], KEYS[3]
local claimant, expiry, most = ARGV[1], ARGV[2], tonumber(ARGV[3])

local holder = redis.call('GET', claim)
if holder and holder ~= claimant then
	return {-2}
end
local messages = redis.call('ZRANGE', claimed, 0, most - 1)
local nanoseconds = time[1] * 1e9 + time[2] * 1e3
if #messages == 0 then
	local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', string.format('%.0f', nanoseconds),
		'WITHSCORES', 'LIMIT', 0, most)
	for i = 1, #due, 2 do
		redis.call('ZADD', claimed, due[i + 1], due[i])
		redis.call('ZREM', delayed, due[i])
		messages[#messages + 1] = due[i]
	end
end
local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
table.insert(messages, 1, first[2] and math.max(math.ceil((first[2] - nanoseconds) / 1e6), 0) or -1)
if #messages > 1 then
	redis.call('SET', claim, claimant, 'PX', expiry)
end
return messages
`)

// settleDue ends a claim: so many of the messages were pushed, and the rest, whose queues could not be written to, go
// back to the delayed for a while.
var settleDue = redis.NewScript(clock + `
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
	key          string
	keys         []string // of the scripts
}

func newDelayedTasks(cnf *config.Config, client redis.UniversalClient, letters *DeadLetters) delayedTasks {
	key := delayedTasksKey(cnf)
	return delayedTasks{
		client:       client,
		letters:      letters,
		defaultQueue: cnf.DefaultQueue,
		key:          key,
		keys:         []string{key, beside(key, ":claimed"), beside(key, ":claim")},
	}
}

func (d *delayedTasks) add(ctx context.Context, eta time.Time, message []byte) error {
	return d.client.ZAdd(ctx, d.key, &redis.Z{Score: float64(eta.UnixNano()), Member: message}).Err()
}

// claim is what one worker is moving to the queues.
type claim struct {
	*delayedTasks
	claimant string
	// settling holds the arguments of a settleDue that has not succeeded yet.
	settling []any
}

// release moves a batch of due tasks to their queues, oldest first, and returns how long it is until the next ones, at
// most the time given. A worker that dies in between has its tasks moved again by another.
func (c *claim) release(ctx context.Context, most time.Duration) (time.Duration, error) {
	if err := c.settle(ctx); err != nil {
		return 0, err
	}
	wait, due, err := numbered(claimDue.Run(ctx, c.client, c.keys, c.claimant, claimExpiry.Milliseconds(), delayedBatch))
	switch {
	case err != nil:
		return 0, err
	case wait == -2:
		return claimedElsewhere, nil
	case len(due) == 0:
		return untilDue(wait, most), nil
	}
	pushed, failed, pushErr := c.push(ctx, due)
	c.settling = append([]any{c.claimant, len(pushed), unreachableQueue.Milliseconds()}, append(pushed, failed...)...)
	if err := c.settle(ctx); err != nil {
		return 0, err
	}
	return 0, pushErr
}

func (c *claim) settle(ctx context.Context) error {
	if c.settling == nil {
		return nil
	}
	if err := settleDue.Run(ctx, c.client, c.keys, c.settling...).Err(); err != nil {
		return err
	}
	c.settling = nil
	return nil
}

// push sends messages to the queues they name, and what is no task to the dead letters. It returns which of them
// arrived.
func (c *claim) push(ctx context.Context, due []string) (pushed, failed []any, firstErr error) {
	byQueue := make(map[string][]any)
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
		signature, err := decodeTask(message)
		if err != nil {
			letter := DeadLetter{Message: []byte(message), Queue: c.key, Reason: err.Error()}
			note([]any{message}, c.letters.add(ctx, letter))
			continue
		}
		queue := signature.RoutingKey
		if queue == "" {
			queue = c.defaultQueue
		}
		byQueue[queue] = append(byQueue[queue], message)
	}
	replies := make(map[string]*redis.IntCmd, len(byQueue))
	_, _ = c.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for queue, messages := range byQueue {
			replies[queue] = pipe.RPush(ctx, queue, messages...)
		}
		return nil
	})
	for queue, reply := range replies {
		note(byQueue[queue], reply.Err())
	}
	return pushed, failed, firstErr
}

// untilDue makes a pause of the milliseconds that a script answers; less than 0 stands for ever.
func untilDue(milliseconds int64, most time.Duration) time.Duration {
	if milliseconds < 0 {
		return most
	}
	return min(time.Duration(milliseconds)*time.Millisecond, most)
}

// releaseDelayed moves due tasks, delayed and deferred ones, to their queues until the worker stops.
func (c *consumer) releaseDelayed() {
	own := &claim{delayedTasks: &c.delayed, claimant: c.id}
	var pauses backoff
	for c.shift.stopping.Err() == nil {
		wait, err := c.releaseOnce(own)
		c.trouble.note("move delayed tasks to their queues", err)
		if err != nil {
			wait = pauses.next()
		} else {
			pauses.reset()
		}
		c.shift.rest(wait)
	}
}

func (c *consumer) releaseOnce(own *claim) (time.Duration, error) {
	ctx := context.Background()
	wait, err := own.release(ctx, delayedPollPeriod(c.GetConfig()))
	if err != nil {
		return 0, err
	}
	return c.releaseDeferred(wait)
}
