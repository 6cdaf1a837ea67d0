package redisadapter

import (
	"context"
	"strconv"
	"time"

	"github.com/RichardKnop/machinery/v2/log"
	"github.com/go-redis/redis/v8"
)

// delayedBatch is how many due tasks are moved at a time: enough to hide the round trips, few enough not to hold up
// other users of Redis.
const delayedBatch = 100

// moveDue moves each message from the sorted set to the queue unless another worker has done so. Being one step it
// neither loses nor doubles a task, even where the client sends it again after a lost reply. It pushes first, because
// a script that fails keeps what it did so far.
var moveDue = redis.NewScript(`
local moved = 0
for _, message in ipairs(ARGV) do
	if redis.call('ZSCORE', KEYS[1], message) then
		redis.call('RPUSH', KEYS[2], message)
		redis.call('ZREM', KEYS[1], message)
		moved = moved + 1
	end
end
return moved
`)

// delayedTasks is the sorted set in which tasks wait for their ETA.
type delayedTasks struct {
	client       redis.UniversalClient
	key          string
	defaultQueue string
}

func (d *delayedTasks) add(ctx context.Context, eta time.Time, message []byte) error {
	return d.client.ZAdd(ctx, d.key, &redis.Z{Score: float64(eta.UnixNano()), Member: message}).Err()
}

// releaseDue moves a batch of due tasks to their queues, oldest first, and tells whether more may be due.
func (d *delayedTasks) releaseDue(ctx context.Context) (bool, error) {
	due, err := d.client.ZRangeByScore(ctx, d.key, &redis.ZRangeBy{
		Min:   "-inf",
		Max:   strconv.FormatInt(time.Now().UnixNano(), 10),
		Count: delayedBatch,
	}).Result()
	if err != nil {
		return false, err
	}
	byQueue, garbage := d.sort(due)
	if err := d.drop(ctx, garbage); err != nil {
		return false, err
	}
	for queue, messages := range byQueue {
		if err := moveDue.Run(ctx, d.client, []string{d.key, queue}, messages...).Err(); err != nil {
			return false, err
		}
	}
	return len(due) == delayedBatch, nil
}

// sort keeps the order within each queue; what is no task comes back apart.
func (d *delayedTasks) sort(due []string) (byQueue map[string][]any, garbage []any) {
	byQueue = make(map[string][]any)
	for _, message := range due {
		signature, err := decodeTask(message)
		if err != nil {
			garbage = append(garbage, message)
			continue
		}
		queue := signature.RoutingKey
		if queue == "" {
			queue = d.defaultQueue
		}
		byQueue[queue] = append(byQueue[queue], message)
	}
	return byQueue, garbage
}

// drop removes what nobody could ever run: left where it is, it would stand at the head of every batch.
func (d *delayedTasks) drop(ctx context.Context, garbage []any) error {
	if len(garbage) == 0 {
		return nil
	}
	dropped, err := d.client.ZRem(ctx, d.key, garbage...).Result()
	if err != nil {
		return err
	}
	log.ERROR.Printf("redisadapter: dropped %d delayed messages from %s: not tasks", dropped, d.key)
	return nil
}

// releaseDelayed moves due tasks to their queues until the broker stops.
func (c *consumer) releaseDelayed() {
	trouble := outage{source: c.delayed.key}
	for c.stopping.Err() == nil {
		c.rest(c.releaseOnce(&trouble))
	}
}

// releaseOnce returns how long to wait before the next time.
func (c *consumer) releaseOnce(trouble *outage) time.Duration {
	more, err := c.delayed.releaseDue(c.stopping)
	switch {
	case c.stopping.Err() != nil:
		return 0
	case err != nil:
		trouble.begin(err)
		return retryPause
	}
	trouble.end()
	if more {
		return 0
	}
	return delayedPollPeriod(c.GetConfig())
}
