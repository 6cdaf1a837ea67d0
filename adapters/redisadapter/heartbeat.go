package redisadapter

import (
	"context"
	"time"

	"github.com/RichardKnop/machinery/v2/log"
	"github.com/go-redis/redis/v8"
)

const (
	// suspectAfter is how many workers have died while they ran a message, before it runs apart from other suspects.
	suspectAfter = 2
	// mostCounted bounds how many messages have their failures counted. Those with the fewest are forgotten first.
	mostCounted = 10_000
	// countsExpire forgets all counts when no delivery has failed for so long.
	countsExpire = 7 * 24 * time.Hour
	// forgottenAfter is how long a dead consumer without messages is remembered: longer than a request of its own
	// can possibly be on its way to give it one.
	forgottenAfter = time.Hour
)

// beat notes until when the consumer is to be heard of again. It answers for how long it was silent (-1 when it was not
// known), and which consumers are overdue.
var beat = redis.NewScript(clock + `
local consumers, consumer, timeout = KEYS[1], ARGV[1], tonumber(ARGV[2])
local due = redis.call('ZSCORE', consumers, consumer)
redis.call('ZADD', consumers, string.format('%.0f', now + timeout), consumer)
local reply = redis.call('ZRANGEBYSCORE', consumers, '-inf', string.format('(%.0f', now))
table.insert(reply, 1, due and math.max(now + timeout - due, 0) or -1)
return reply
`)

// takeOver returns what an overdue consumer has, oldest first, to the head of the queue, and counts that as a failure of
// each message; once for all copies of one. Those that failed often go to the suspects. It does nothing for a consumer
// that was heard of meanwhile. It pushes first, because a script that fails keeps what it did so far.
var takeOver = redis.NewScript(clock + `
local processing, queue, consumers, deliveries, suspects = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local consumer, suspectAfter = ARGV[1], tonumber(ARGV[2])
local mostCounted, countsExpire, forgottenAfter = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])

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
	local target = failures[digest] >= suspectAfter and suspects or queue
	redis.call('LPUSH', target, messages[i])
end
redis.call('ZREMRANGEBYRANK', deliveries, 0, -mostCounted - 1)
redis.call('PEXPIRE', deliveries, countsExpire)
redis.call('DEL', processing)
return #messages
`)

// keep says that the consumer lives, takes over from those that do not, and acknowledges what is done while nothing is
// fetched, until the consumer is idle.
func (c *consumer) keep(idle <-chan struct{}) {
	beats := time.NewTicker(c.heartbeatTimeout / beatsPerTimeout)
	defer beats.Stop()
	var pauses backoff
	var again <-chan time.Time
	for {
		select {
		case <-idle:
			return
		case <-beats.C:
			err := c.tendOthers()
			c.trouble.note("keep the heartbeat on "+c.keys.queue, err)
			c.sweepDue.Store(true)
			continue
		case <-c.holdings.ackDue:
		case <-again:
		}
		err := c.acknowledge(context.Background(), c.holdings.takeDoneWhileAway())
		c.trouble.note(c.working(), err)
		if again = nil; err != nil {
			again = time.After(pauses.next())
			continue
		}
		pauses.reset()
	}
}

// register makes the consumer known, for the first time or anew.
func (c *consumer) register() error {
	_, err := c.beat()
	return err
}

// beat returns who is silent.
func (c *consumer) beat() ([]string, error) {
	now := time.Now()
	reply := beat.Run(context.Background(), c.client, []string{c.keys.consumers}, c.id, c.heartbeatTimeout.Milliseconds())
	silent, others, err := numbered(reply)
	if err != nil {
		return nil, err
	}
	if c.silence.end(now, time.Duration(silent)*time.Millisecond) {
		log.WARNING.Printf("redisadapter: this worker was silent for too long, its tasks on %s may run elsewhere too",
			c.keys.queue)
	}
	return others, nil
}

// tendOthers takes over from consumers that are silent while this one was not: had Redis been out of reach of both,
// they would not be dead.
func (c *consumer) tendOthers() error {
	others, err := c.beat()
	if err != nil || !c.silence.steady() {
		return err
	}
	for _, other := range others {
		if err := c.takeOver(other); err != nil {
			return err
		}
	}
	return nil
}

func (c *consumer) takeOver(other string) error {
	keys := []string{c.keys.processing(other), c.keys.queue, c.keys.consumers, c.keys.deliveries, c.keys.suspects}
	taken, err := takeOver.Run(context.Background(), c.client, keys, other,
		min(suspectAfter, c.deliveryLimit), mostCounted, countsExpire.Milliseconds(), forgottenAfter.Milliseconds()).Int()
	if taken > 0 {
		log.WARNING.Printf("redisadapter: a worker fell silent, put %d tasks of its back on %s", taken, c.keys.queue)
	}
	return err
}
