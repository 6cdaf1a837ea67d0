package redisadapter

import (
	"context"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

// destination is a queue, and the priority by which a task waits in it.
type destination struct {
	queue    string
	priority int
}

// destinationOf is where a task goes that is sent to a queue.
func destinationOf(queue string, s *tasks.Signature) destination {
	return destination{queue: queue, priority: levelOf(s)}
}

// pushInOrder appends messages to a queue.
const pushInOrder = `
return redis.call('RPUSH', KEYS[1], unpack(ARGV))
`

// listFor is a function of scripts that returns the list to append to what has the priority of a level: the queue where
// that is empty, as a worker waits for messages of the queue alone.
const listFor = `
local function listFor(queue, level)
	return redis.call('LLEN', queue) > 0 and level or queue
end
`

// pushByPriority appends messages of one priority to a queue that may have priorities.
const pushByPriority = listFor + `
local hasPriorities = redis.call('EXISTS', KEYS[2]) == 1
return redis.call('RPUSH', hasPriorities and listFor(KEYS[1], KEYS[3]) or KEYS[1], unpack(ARGV))
`

// The scripts that work on a full Redis too are for what a worker sends: Redis gains more by that.
var (
	pushByPriorityScript   = redis.NewScript(pushByPriority)
	pushInOrderWhenFull    = redis.NewScript(whenFull + pushInOrder)
	pushByPriorityWhenFull = redis.NewScript(whenFull + pushByPriority)
)

// push appends a message, which a full Redis refuses.
func (d destination) push(ctx context.Context, client redis.Cmdable, message []byte) error {
	if d.priority == 0 {
		return client.RPush(ctx, d.queue, message).Err()
	}
	return pushByPriorityScript.Run(ctx, client, d.keysByPriority(), message).Err()
}

// whenFull returns the script that appends messages on a full Redis too, and its keys.
func (d destination) whenFull() (script *redis.Script, keys []string) {
	if d.priority == 0 {
		return pushInOrderWhenFull, []string{d.queue}
	}
	return pushByPriorityWhenFull, d.keysByPriority()
}

func (d destination) keysByPriority() []string {
	keys := keysOf(d.queue)
	return []string{d.queue, keys.priorities, keys.level(d.priority)}
}
