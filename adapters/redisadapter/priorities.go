package redisadapter

import (
	"context"
	"strconv"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

// maxPriority is the highest priority that is told from those below it.
const maxPriority = 9

// WithPriorities has workers take, of the tasks in a queue, those with the highest Signature.Priority first, from 9
// down to 0, and of those with the same one the oldest; higher ones count as 9. Without it the Priority is ignored, as
// by Machinery's Redis brokers. Tasks of a low priority wait for as long as there are others.
//
// It belongs to the queue, for good: once a worker with it has begun to consume a queue, all who send to it with this
// package heed the priority, and so do all workers of this package that begin to consume it then. To end that, let the
// workers empty the queue, stop them, and delete the key {q}:priorities.
//
// Delayed tasks, retries, replayed dead letters and tasks that come again after an error keep their priority. These
// wait as tasks of priority 0 do: those that Machinery's brokers have sent, those that a worker does not know and puts
// at the end of the queue, and messages of more than 1 MiB that come again, or come to an empty queue. What a worker
// leaves that stops or dies comes again before other tasks of its priority, but not before those of priority 0 that the
// same worker had taken earlier.
//
// Machinery's own workers do not see tasks that wait by priority: all workers of such a queue must have this package.
func WithPriorities() BrokerOption {
	return brokerOption(func(s *brokerSettings) error {
		s.priorities = true
		return nil
	})
}

// levelOf is the priority by which a task waits.
func levelOf(s *tasks.Signature) int { return min(int(s.Priority), maxPriority) }

// level is the list of the tasks of a priority, from 1 on; those of 0 are in the queue.
func (k queueKeys) level(priority int) string {
	return beside(k.queue, ":priority:"+strconv.Itoa(priority))
}

// levels are those of all priorities from 1 on.
func (k queueKeys) levels() []string {
	levels := make([]string, maxPriority)
	for i := range levels {
		levels[i] = k.level(i + 1)
	}
	return levels
}

// declarePriorities notes, where the argument is not empty, that a queue has priorities. It answers whether it has.
var declarePriorities = redis.NewScript(whenFull + `
if ARGV[1] ~= '' then
	redis.call('SET', KEYS[1], ARGV[1])
end
return redis.call('EXISTS', KEYS[1])
`)

// findPriorities finds out whether the queue has priorities, after it has declared that if it is asked to.
func (p *processing) findPriorities(ctx context.Context, declare bool) error {
	mark := ""
	if declare {
		mark = strconv.Itoa(maxPriority)
	}
	found, err := declarePriorities.Run(ctx, p.client, []string{p.keys.priorities}, mark).Bool()
	if found {
		p.levels = p.keys.levels()
	}
	return err
}

// A worker waits for messages of the queue alone, with BLMOVE. So there is one in the queue whenever some wait by
// priority: who sends to an empty queue leaves it at that, whatever the priority, and who takes the last one out moves
// the first of the others there.

// priorityOf is a function of scripts that reads the priority of a message: 0 where that would take long. Most of those
// without one are told by the search.
const priorityOf = `
local function priorityOf(message)
	if #message > 1048576 or not string.find(message, '"Priority"%s*:%s*[1-9]') then
		return 0
	end
	local isJSON, task = pcall(cjson.decode, message)
	local priority = isJSON and type(task) == 'table' and tonumber(task.Priority)
	return priority and priority >= 1 and math.min(math.floor(priority), 9) or 0
end
`

// refill moves the first message that waits by priority to an empty queue. The lists of priorities follow the first so
// many keys.
const refill = `
local function refill(queue, first)
	if redis.call('LLEN', queue) > 0 then
		return
	end
	for i = #KEYS, first + 1, -1 do
		if redis.call('LMOVE', KEYS[i], queue, 'LEFT', 'RIGHT') then
			return
		end
	end
end
`

// takeByPriority is takeInOrder for a queue with priorities. What others have put at the head of the queue, and refill,
// may have one too: it is put before all others of its priority, as long as there are others to compare it with.
const takeByPriority = priorityOf + refill + `
-- The lists of priorities follow the other keys.
local others = 6
local waiting, top = false, #KEYS

local function prepare(queue)
	waiting = redis.call('EXISTS', unpack(KEYS, others + 1)) > 0
	if not waiting then
		return
	end
	local messages, priorities, bytes = {}, {}, 0
	while #messages < 100 and bytes < 1048576 do
		local message = redis.call('LINDEX', queue, #messages)
		local priority = message and priorityOf(message) or 0
		if priority == 0 then
			break
		end
		messages[#messages + 1], priorities[#priorities + 1], bytes = message, priority, bytes + #message
	end
	for i = #messages, 1, -1 do
		redis.call('LPUSH', KEYS[others + priorities[i]], messages[i])
	end
	for i = 1, #messages do
		redis.call('LPOP', queue)
	end
end

local function take(queue, processing)
	while waiting and top > others do
		local message = redis.call('LMOVE', KEYS[top], processing, 'LEFT', 'RIGHT')
		if message then
			return message
		end
		top = top - 1
	end
	return redis.call('LMOVE', queue, processing, 'LEFT', 'RIGHT')
end

local function restore(queue)
	if waiting then
		refill(queue, others)
	end
end
`

var ackAndFetchByPriority = redis.NewScript(clock + whenFull + takeByPriority + ackAndFetchBody)

var refillScript = redis.NewScript(whenFull + refill + "refill(KEYS[1], 1) return 0")

// refill is for after a message was taken without a look at the priorities.
func (p *processing) refill(ctx context.Context) error {
	if p.levels == nil {
		return nil
	}
	return refillScript.Run(ctx, p.client, append([]string{p.keys.queue}, p.levels...)).Err()
}

var releaseDeferredByPriority = redis.NewScript(clock + whenFull + priorityOf + listFor + `
local function append(queue, message)
	local priority = priorityOf(message)
	redis.call('RPUSH', priority > 0 and listFor(queue, KEYS[2 + priority]) or queue, message)
end
` + releaseDeferredBody)
