package redisadapter

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/go-redis/redis/v8"
)

// blockingWait is how long Redis holds the request of a worker that has become idle: the shortest that go-redis can ask
// for, because a worker that stops waits for its end. Cutting it short could leave a task with a consumer that is gone.
const blockingWait = time.Second

const (
	// shortWaits is after how many waits in which nothing came a worker asks for longer ones.
	shortWaits     = 5
	longWait       = 2 * time.Second
	longWaitForOwn = 6 * time.Second // with WithOwnSendersOnly
)

// processing is the list in Redis of the messages that a consumer has taken: Redis has them until they are settled.
type processing struct {
	client   redis.UniversalClient
	consumer string // its ID
	keys     queueKeys
	key      string
	// levels are the lists of what waits by priority, where the queue has priorities.
	levels []string
	// deferred has a value when the consumer has deferred a message, and the releaser is to look for when it comes again.
	deferred chan struct{}
	done     doneCount
}

func newProcessing(client redis.UniversalClient, queue string) *processing {
	consumer, keys := rand.Text(), keysOf(queue)
	return &processing{
		client:   client,
		consumer: consumer,
		keys:     keys,
		key:      keys.processing(consumer),
		deferred: make(chan struct{}, 1),
	}
}

// ackAndFetch acknowledges messages and takes others: at first an isolated one if that is allowed, then the queue's
// oldest ones, until they have so many bytes together. It gives nothing to a consumer whose heartbeat is overdue, since
// others may take that away at once. What is acknowledged after others took it over is not in the list any more, and
// theirs is left alone.
//
// It answers with the failures of the isolated message, or 0, or -1 to an overdue consumer, or -2 where the queue is
// paused, and the messages.
var ackAndFetch = redis.NewScript(clock + whenFull + takeInOrder + ackAndFetchBody)

// takeInOrder takes the next message of a queue.
const takeInOrder = `
local function prepare(queue) end
local function take(queue, processing) return redis.call('LMOVE', queue, processing, 'LEFT', 'RIGHT') end
local function restore(queue) end
`

const ackAndFetchBody = `
local processing, queue, consumers, deliveries, isolated, paused = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local consumer, slots, isolatedSlots, maxBytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

if #ARGV > 4 then
	local counted = redis.call('EXISTS', deliveries) == 1
	for i = 5, #ARGV do
		if redis.call('LREM', processing, 1, ARGV[i]) == 1 and counted then
			redis.call('ZREM', deliveries, redis.sha1hex(ARGV[i]))
		end
	end
end
local reply, bytes = {0}, 0
if slots == 0 then
	return reply
end
local due = redis.call('ZSCORE', consumers, consumer)
if not due or now > tonumber(due) then
	return {-1}
end
if redis.call('EXISTS', paused) == 1 then
	return {-2}
end
if isolatedSlots > 0 then
	local message = redis.call('LMOVE', isolated, processing, 'LEFT', 'RIGHT')
	if message then
		reply[1] = tonumber(redis.call('ZSCORE', deliveries, redis.sha1hex(message)) or 0)
		reply[2], bytes = message, #message
	end
end
prepare(queue)
while #reply <= slots and (bytes == 0 and maxBytes > 0 or bytes < maxBytes) do
	local message = take(queue, processing)
	if not message then
		break
	end
	reply[#reply + 1], bytes = message, bytes + #message
end
restore(queue)
return reply
`

// fetchRequest says what to acknowledge and how many messages to take, of which so many may be isolated ones. No more
// are taken once they have maxBytes together, and of the queue none where that is 0.
type fetchRequest struct {
	acks          []string
	slots         int
	isolatedSlots int
	maxBytes      int
}

// fetched are messages, none for a consumer that is overdue: it has to register before it gets any. There are none either
// while the queue is paused.
type fetched struct {
	messages []message
	overdue  bool
	paused   bool
}

func (p *processing) ackAndFetch(ctx context.Context, r fetchRequest) (fetched, error) {
	args := make([]any, 0, 4+len(r.acks))
	args = append(args, p.consumer, r.slots, r.isolatedSlots, r.maxBytes)
	for _, body := range r.acks {
		args = append(args, body)
	}
	keys := []string{p.key, p.keys.queue, p.keys.consumers, p.keys.deliveries, p.keys.isolated, p.keys.paused}
	script := ackAndFetch
	if p.levels != nil {
		script, keys = ackAndFetchByPriority, append(keys, p.levels...)
	}
	failures, bodies, err := numbered(script.Run(ctx, p.client, keys, args...))
	if err != nil {
		return fetched{}, err
	}
	p.done.add(len(r.acks))
	if failures < 0 {
		return fetched{overdue: failures == -1, paused: failures == -2}, nil
	}
	messages := make([]message, len(bodies))
	for i, body := range bodies {
		messages[i].body = body
	}
	if failures > 0 {
		messages[0].failures = int(failures)
	}
	return fetched{messages: messages}, nil
}

// ack acknowledges messages and takes none.
func (p *processing) ack(ctx context.Context, bodies []string) error {
	switch len(bodies) {
	case 0:
		return nil
	case 1:
		return p.ackOne(ctx, bodies[0])
	}
	_, err := p.ackAndFetch(ctx, fetchRequest{acks: bodies})
	return err
}

// waitForOne takes the next message of the queue. The error is redis.Nil when none has come in time.
func (p *processing) waitForOne(ctx context.Context, wait time.Duration) (string, error) {
	return p.client.BLMove(ctx, p.keys.queue, p.key, "LEFT", "RIGHT", wait).Result()
}

// length returns how many messages the consumer has.
func (p *processing) length(ctx context.Context) (int, error) {
	length, err := p.client.LLen(ctx, p.key).Result()
	return int(length), err
}

// unknownMessages answers with messages of the processing list, oldest first, beside those whose digests are given: so
// many at most, and no more once they have so many bytes together. The number before them is 1 where there are others.
var unknownMessages = redis.NewScript(`
local processing, slots, maxBytes = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local known = {}
for i = 3, #ARGV do
	known[ARGV[i]] = (known[ARGV[i]] or 0) + 1
end
local reply, bytes = {0}, 0
for i = 0, redis.call('LLEN', processing) - 1 do
	local message = redis.call('LINDEX', processing, i)
	local digest = redis.sha1hex(message)
	if known[digest] and known[digest] > 0 then
		known[digest] = known[digest] - 1
	elseif #reply > slots or bytes > 0 and bytes >= maxBytes then
		reply[1] = 1
		break
	else
		reply[#reply + 1], bytes = message, bytes + #message
	end
end
return reply
`)

// unknown returns messages of the consumer beside those that it knows, and whether there are more than it may return.
func (p *processing) unknown(ctx context.Context, known map[string]int, slots, maxBytes int) (bodies []string, more bool, err error) {
	args := []any{slots, maxBytes}
	for body, copies := range known {
		for digest := digestOf(body); copies > 0; copies-- {
			args = append(args, digest)
		}
	}
	left, bodies, err := numbered(unknownMessages.Run(ctx, p.client, []string{p.key}, args...))
	return bodies, left > 0, err
}

// moveToEnd moves a message from the processing to the end of the queue, and answers with the queue's length.
var moveToEnd = redis.NewScript(whenFull + `
if redis.call('LPOS', KEYS[1], ARGV[1]) then
	redis.call('RPUSH', KEYS[2], ARGV[1])
	redis.call('LREM', KEYS[1], 1, ARGV[1])
end
return redis.call('LLEN', KEYS[2])
`)

func (p *processing) moveToEnd(ctx context.Context, body string) (queued int64, err error) {
	return moveToEnd.Run(ctx, p.client, []string{p.key, p.keys.queue}, body).Int64()
}

// putBack moves a message from the processing to the head of the queue.
var putBack = redis.NewScript(whenFull + `
if redis.call('LPOS', KEYS[1], ARGV[1]) then
	redis.call('LPUSH', KEYS[2], ARGV[1])
	redis.call('LREM', KEYS[1], -1, ARGV[1])
end
return 0
`)

func (p *processing) putBack(ctx context.Context, body string) error {
	return putBack.Run(ctx, p.client, []string{p.key, p.keys.queue}, body).Err()
}

// requeue returns what a consumer still has, oldest first, to the head of the queue, counts what it has done, and forgets
// so many consumers. It pushes first, because a script that fails keeps what it did so far. It counts while the report is
// there, which is gone when its reply was lost.
var requeue = redis.NewScript(whenFull + countDone + `
local messages = redis.call('LRANGE', KEYS[1], 0, -1)
for i = #messages, 1, -1 do
	redis.call('LPUSH', KEYS[2], messages[i])
end
if redis.call('EXISTS', KEYS[4]) == 1 then
	countDone(KEYS[5], KEYS[4], ARGV[1], ARGV[2])
end
redis.call('DEL', KEYS[1], KEYS[4])
for i = 3, #ARGV do
	redis.call('ZREM', KEYS[3], ARGV[i])
end
return #messages
`)

// requeue leaves the consumer known, so that others look after what still comes for it.
func (p *processing) requeue(ctx context.Context) error {
	return p.runRequeue(ctx)
}

// requeueAndForget is for a consumer that no request of its own can give a message any more.
func (p *processing) requeueAndForget(ctx context.Context) error {
	return p.runRequeue(ctx, p.consumer)
}

func (p *processing) runRequeue(ctx context.Context, forgotten ...any) error {
	total, counted := p.done.get()
	keys := []string{p.key, p.keys.queue, p.keys.consumers, p.keys.report(p.consumer), p.keys.done}
	return requeue.Run(ctx, p.client, keys, append([]any{total, counted}, forgotten...)...).Err()
}
