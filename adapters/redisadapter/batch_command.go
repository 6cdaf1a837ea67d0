package redisadapter

import (
	"context"

	"github.com/go-redis/redis/v8"
)

// A batchCommand is tasks of a batch that one script sends: those for one list and priority, or the delayed ones.
type batchCommand struct {
	script *redis.Script
	keys   []string
	args   []any // of the script, before the messages
	tasks  []batchTask
}

// commandKey tells commands apart. The delayed tasks have no destination.
type commandKey struct {
	destination
	delayed bool
}

// commandsOf picks a shard for each task, and keeps the order of the tasks in each command.
func commandsOf(delayed delayedTasks, batch []batchTask) []*batchCommand {
	byKey := make(map[commandKey]*batchCommand)
	var all []*batchCommand
	for _, t := range batch {
		key := commandKey{delayed: waits(t.signature)}
		if !key.delayed {
			key.destination = destinationOf(delayed.sharding.pick(t.signature.RoutingKey), t.signature)
		}
		c := byKey[key]
		if c == nil {
			c = newCommand(delayed, key)
			byKey[key], all = c, append(all, c)
		}
		c.tasks = append(c.tasks, t)
	}
	return all
}

func newCommand(delayed delayedTasks, key commandKey) *batchCommand {
	switch {
	case key.delayed:
		return &batchCommand{script: addManyScript, keys: []string{delayed.key}, args: []any{delayed.news.channel}}
	case key.priority > 0:
		return &batchCommand{script: pushManyByPriority, keys: key.keysByPriority()}
	default:
		return &batchCommand{script: pushManyInOrder, keys: []string{key.queue}}
	}
}

// send sends the text of the script: where Redis did not know it, the tasks would have to be sent once more.
func (c *batchCommand) send(ctx context.Context, pipe redis.Pipeliner) *redis.Cmd {
	keys, args := c.arguments()
	return c.script.Eval(ctx, pipe, keys, args...)
}

// sendAlone sends the text of the script only where Redis does not know it.
func (c *batchCommand) sendAlone(ctx context.Context, client redis.UniversalClient) error {
	keys, args := c.arguments()
	return c.script.Run(ctx, client, keys, args...).Err()
}

func (c *batchCommand) arguments() (keys []string, args []any) {
	keys = c.keys[:len(c.keys):len(c.keys)]
	var states, messages []any
	for _, t := range c.tasks {
		if t.pending != nil {
			keys = append(keys, t.pending.uuid)
			states = append(states, t.pending.state, t.pending.backend.expiry.Milliseconds())
		}
		if c.script == addManyScript {
			messages = append(messages, t.signature.ETA.UnixNano())
		}
		messages = append(messages, t.body)
	}
	args = append([]any{len(keys) - len(c.keys)}, c.args...)
	return keys, append(append(args, states...), messages...)
}

// The scripts that send many tasks write their states too: all of that, or nothing; what they have not written stays. The
// keys of the states follow the other keys; the states, each with its expiry in milliseconds, follow the other arguments,
// and the messages the states. A script has a function send, which is given where the messages begin.
const (
	writeStates = `
local states, written = tonumber(ARGV[1]), 0
local function writeAndSend(send, others)
	local first = #KEYS - states
	for i = 1, states do
		local state, expiry = ARGV[others + 2 * i - 1], ARGV[others + 2 * i]
		if tonumber(expiry) > 0 then
			redis.call('SET', KEYS[first + i], state, 'PX', expiry)
		else
			redis.call('SET', KEYS[first + i], state)
		end
		written = i
	end
	return send(others + 2 * states + 1)
end
local function allOrNothing(send, others)
	local sent, reply = pcall(writeAndSend, send, others)
	if sent then
		return reply
	end
	if written > 0 then
		local first = #KEYS - states
		redis.pcall('DEL', unpack(KEYS, first + 1, first + written))
	end
	if type(reply) == 'table' then
		return reply
	end
	return redis.error_reply(reply)
end
`
	sendInOrder = writeStates + `
return allOrNothing(function(first) return redis.call('RPUSH', KEYS[1], unpack(ARGV, first)) end, 1)
`
	// sendByPriority leaves no more than one of the tasks to an empty queue: where many with a priority stand at its head,
	// who takes them would put the later ones before the first.
	sendByPriority = writeStates + `
return allOrNothing(function(first)
	local queue, level = KEYS[1], KEYS[3]
	if redis.call('EXISTS', KEYS[2]) == 0 then
		return redis.call('RPUSH', queue, unpack(ARGV, first))
	end
	local empty = redis.call('LLEN', queue) == 0
	local second = empty and first + 1 or first
	if second <= #ARGV then
		redis.call('RPUSH', level, unpack(ARGV, second))
	end
	return empty and redis.call('RPUSH', queue, ARGV[first]) or 0
end, 1)
`
	// sendDelayed does for each task what addDelayed does.
	sendDelayed = writeStates + `
return allOrNothing(function(first)
	local sooner = false
	for i = first, #ARGV, 2 do
		redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1])
		sooner = sooner or redis.call('ZRANK', KEYS[1], ARGV[i + 1]) == 0
	end
	if sooner then
		redis.pcall('PUBLISH', ARGV[2], '')
	end
	return 0
end, 2)
`
)

var (
	pushManyInOrder    = redis.NewScript(sendInOrder)
	pushManyByPriority = redis.NewScript(sendByPriority)
	addManyScript      = redis.NewScript(sendDelayed)
)
