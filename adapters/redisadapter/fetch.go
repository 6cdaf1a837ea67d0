package redisadapter

import (
	"context"
	"errors"
	"time"

	"github.com/go-redis/redis/v8"
)

// blockingWait is how long Redis holds the request of an idle worker: the shortest that go-redis can ask for, because
// a worker that stops waits for its end. Cutting it short could leave a task with a consumer that is gone.
const blockingWait = time.Second

// exchange acknowledges messages and takes others: at first a suspect if that is allowed, then the queue's oldest. It
// gives nothing to a consumer whose heartbeat is overdue, since others may take that away at once. What is
// acknowledged after others took it over is not in the list any more, and theirs is left alone.
//
// It answers with the failures of the suspect, or 0, or -1 to an overdue consumer, and the messages.
var exchange = redis.NewScript(clock + `
local processing, queue, consumers, deliveries, suspects = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local consumer, slots, suspectsAllowed = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'

if #ARGV > 3 then
	local counted = redis.call('EXISTS', deliveries) == 1
	for i = 4, #ARGV do
		if redis.call('LREM', processing, 1, ARGV[i]) == 1 and counted then
			redis.call('ZREM', deliveries, redis.sha1hex(ARGV[i]))
		end
	end
end
local reply = {0}
if slots == 0 then
	return reply
end
local due = redis.call('ZSCORE', consumers, consumer)
if not due or now > tonumber(due) then
	return {-1}
end
if suspectsAllowed then
	local suspect = redis.call('LMOVE', suspects, processing, 'LEFT', 'RIGHT')
	if suspect then
		reply[1] = tonumber(redis.call('ZSCORE', deliveries, redis.sha1hex(suspect)) or 0)
		reply[2] = suspect
	end
end
while #reply <= slots do
	local message = redis.call('LMOVE', queue, processing, 'LEFT', 'RIGHT')
	if not message then
		break
	end
	reply[#reply + 1] = message
end
return reply
`)

// fetch takes messages only when there are slots to run them in, so that none waits here while another worker is
// idle.
func (c *consumer) fetch() {
	defer c.holdings.leave()
	var pauses backoff
	for {
		slots := c.holdings.awaitSlot(c.shift.stopping.Done())
		if slots == 0 {
			return
		}
		if !c.wants() {
			continue
		}
		err := c.fetchInto(slots)
		c.trouble.note(c.working(), err)
		if err == nil {
			pauses.reset()
			continue
		}
		// What was on its way may be among the processing now.
		c.sweepDue.Store(true)
		c.lostReply = time.Now()
		c.pause(pauses.next())
	}
}

// working names the part of the broker that takes and acknowledges tasks.
func (c *consumer) working() string { return "work on " + c.keys.queue }

// wants tells whether to fetch now; if not, it has waited for a while.
func (c *consumer) wants() bool {
	if c.lap.takeRest() {
		c.pause(lapRest)
		return false
	}
	c.holdings.leave()
	willing := c.processor.PreConsumeHandler()
	c.holdings.comeBack()
	if !willing {
		c.pause(pollPeriod(c.GetConfig()))
	}
	return willing
}

func (c *consumer) pause(d time.Duration) {
	c.holdings.leave()
	defer c.holdings.comeBack()
	c.shift.rest(d)
}

// fetchInto begins messages in so many slots. When there are none it waits for one.
func (c *consumer) fetchInto(slots int) error {
	if c.sweepDue.Swap(false) {
		return c.sweep(slots)
	}
	finished := c.holdings.takeDone()
	taken, err := c.exchange(context.Background(), finished, slots)
	if errors.Is(err, errOverdue) {
		return c.register()
	}
	if err != nil || len(taken) > 0 || len(finished) > 0 {
		c.beginAll(taken)
		return err
	}
	return c.waitForOne()
}

func (c *consumer) beginAll(taken []delivery) {
	for _, d := range taken {
		c.begin(d)
	}
}

// errOverdue means that the consumer has to register before it gets anything.
var errOverdue = errors.New("heartbeat is overdue")

// exchange acknowledges what is finished and takes as many messages as there are slots. When it fails, what is
// finished is still to be acknowledged.
func (c *consumer) exchange(ctx context.Context, finished []string, slots int) ([]delivery, error) {
	suspectsAllowed := 0
	if c.holdings.mayTakeSuspect() {
		suspectsAllowed = 1
	}
	args := make([]any, 0, 3+len(finished))
	args = append(args, c.id, slots, suspectsAllowed)
	for _, message := range finished {
		args = append(args, message)
	}
	keys := []string{c.processing, c.keys.queue, c.keys.consumers, c.keys.deliveries, c.keys.suspects}
	failures, messages, err := numbered(exchange.Run(ctx, c.client, keys, args...))
	if err != nil {
		c.holdings.notAcknowledged(finished)
		return nil, err
	}
	c.holdings.acknowledged(finished)
	if failures < 0 {
		return nil, errOverdue
	}
	taken := make([]delivery, len(messages))
	for i, message := range messages {
		taken[i].message = message
	}
	if failures > 0 {
		taken[0].failures = failures
	}
	return taken, nil
}

// acknowledge takes nothing in exchange.
func (c *consumer) acknowledge(ctx context.Context, finished []string) error {
	if len(finished) == 0 {
		return nil
	}
	_, err := c.exchange(ctx, finished, 0)
	return err
}

// waitForOne returns without an error when the time is up.
func (c *consumer) waitForOne() error {
	c.holdings.leave()
	defer c.holdings.comeBack()
	message, err := c.client.BLMove(context.Background(), c.keys.queue, c.processing, "LEFT", "RIGHT", blockingWait).Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err == nil {
		c.begin(delivery{message: message})
	}
	return err
}

// sweep begins what is among the processing without this consumer knowing: the reply that brought it was lost. What
// finds no slot is left to the next sweep.
func (c *consumer) sweep(slots int) error {
	// Before it reads the list: what is acknowledged meanwhile is known still.
	known := c.holdings.snapshot()
	messages, err := c.client.LRange(context.Background(), c.processing, 0, -1).Result()
	if err != nil {
		c.sweepDue.Store(true)
		return err
	}
	for _, message := range messages {
		if known[message] > 0 {
			known[message]--
			continue
		}
		if slots == 0 {
			c.sweepDue.Store(true)
			break
		}
		slots--
		c.begin(delivery{message: message})
	}
	return nil
}
