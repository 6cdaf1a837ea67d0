package redisadapter

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// maxListed bounds the messages that are listed at once, in bytes. Decoded they take several times as much.
const maxListed = 64 << 20

// ErrMorePending is returned together with the first tasks of a queue, or of the delayed tasks, by GetPendingTasks and
// GetDelayedTasks where there are more than they list.
var ErrMorePending = errors.New("more tasks wait than are listed")

// GetPendingTasks returns the tasks that wait in the queue, next one first; of the default queue when the name is
// empty. Those of one shard come after those of another. It takes nothing out. A message that is no task is a
// deadletter.ErrNoTask.
//
// It lists up to 64 MiB of messages. Where more wait, which Machinery's interface has no way to ask for, the first are
// returned together with ErrMorePending, which says how many there are. It reads a megabyte at a time: of the tasks
// that are taken or put back meanwhile, some may be missing or be there twice.
func (b *broker) GetPendingTasks(queue string) ([]*tasks.Signature, error) {
	if queue == "" {
		queue = b.GetConfig().DefaultQueue
	}
	pending, err := b.pendingTasks(context.Background(), b.settings.sharding.of(queue))
	if err != nil {
		return pending, fmt.Errorf("pending tasks of %s: %w", queue, err)
	}
	return pending, nil
}

func (b *broker) pendingTasks(ctx context.Context, shards []string) ([]*tasks.Signature, error) {
	var lists []string
	for _, shard := range shards {
		keys := keysOf(shard)
		prioritized, err := b.client.Exists(ctx, keys.priorities).Result()
		if err != nil {
			return nil, err
		}
		if prioritized > 0 {
			levels := keys.levels()
			slices.Reverse(levels)
			lists = append(lists, levels...)
		}
		lists = append(lists, shard)
	}
	return b.list(ctx, listQueue, lists...)
}

// GetDelayedTasks returns the tasks that wait for their ETA, next one first, as GetPendingTasks does.
func (b *broker) GetDelayedTasks() ([]*tasks.Signature, error) {
	delayed, err := b.list(context.Background(), listDelayed, b.delayed.key)
	if err != nil {
		return delayed, fmt.Errorf("delayed tasks: %w", err)
	}
	return delayed, nil
}

// These answer with how many messages there are, and with those from an index on, no more once they have so many bytes
// together.
var (
	listQueue = redis.NewScript(`
local function at(index) return redis.call('LINDEX', KEYS[1], index) end
local length = redis.call('LLEN', KEYS[1])
` + listFrom)
	listDelayed = redis.NewScript(`
local function at(index) return redis.call('ZRANGE', KEYS[1], index, index)[1] end
local length = redis.call('ZCARD', KEYS[1])
` + listFrom)
)

const listFrom = `
local reply, bytes, index, maxBytes = {length}, 0, tonumber(ARGV[1]), tonumber(ARGV[2])
while index < length and bytes < maxBytes do
	local message = at(index)
	reply[#reply + 1], bytes, index = message, bytes + #message, index + 1
end
return reply
`

// listing is what was listed so far.
type listing struct {
	signatures []*tasks.Signature
	bytes      int
}

// list returns the tasks of several keys, one after the other.
func (b *broker) list(ctx context.Context, script *redis.Script, keys ...string) ([]*tasks.Signature, error) {
	var l listing
	for _, key := range keys {
		err := b.add(ctx, &l, script, key)
		if errors.Is(err, ErrMorePending) {
			return l.signatures, err
		}
		if err != nil {
			return nil, err
		}
	}
	return l.signatures, nil
}

func (b *broker) add(ctx context.Context, l *listing, script *redis.Script, key string) error {
	for index := 0; ; {
		length, messages, err := numbered(script.Run(ctx, b.client, []string{key}, index, maxReplyBytes))
		if err != nil {
			return err
		}
		for _, message := range messages {
			if isDeletedMark(message) {
				continue
			}
			signature, err := delivery.DecodeWithin([]byte(message), b.settings.maxMessage)
			if err != nil {
				return fmt.Errorf("message %d: %w", len(l.signatures), err)
			}
			l.signatures, l.bytes = append(l.signatures, signature), l.bytes+len(message)
		}
		if index += len(messages); len(messages) == 0 || index >= int(length) {
			return nil
		}
		if l.bytes >= maxListed {
			return fmt.Errorf("%w: %d of %d", ErrMorePending, index, length)
		}
	}
}
