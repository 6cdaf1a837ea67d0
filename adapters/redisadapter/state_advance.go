package redisadapter

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/taskjson"
)

// instant is what a time in JSON looks like to Lua.
const instant = `%d%d%d%d%-[01]%d%-[0-3]%dT[0-2]%d:[0-5]%d:[0-5]%d[%d.]*[Z+-][%d:]*`

// advanceFunction writes a state unless the one before is to stay, and returns the latter. It only looks into the one
// before, and only adds to the new one when the task was made: results that pass through Lua's numbers and tables
// would not come out as they went in. What json.Marshal has written needs no decoding: its members come in their order,
// and no quote in a text stands without a backslash. What is no time is not kept: the new state could not be read.
//
// Whoever may write states may lack the right to publish: that is no reason to lose the state.
const advanceFunction = keep + `
local function decode(text)
  local readable, before = pcall(cjson.decode, text)
  if not readable or type(before) ~= 'table' then
    return ''
  end
  local created = type(before.CreatedAt) == 'string' and string.match(before.CreatedAt, '^` + instant + `$')
  return tostring(before.State), created and '"' .. created .. '"'
end
local function nameOf(text)
  return string.match(text, '^{"TaskUUID":"[^"\\]*","TaskName":"[^"\\]*","State":"(%u+)",')
end
local function advance(key, stays, state, expiry, channel)
  local name, created = '', false
  local text = redis.call('GET', key)
  if text then
    name = nameOf(text)
    created = string.match(string.sub(text, -80), ',"CreatedAt":("` + instant + `"),"TTL":%d+}$')
    if not name or not created then
      name, created = decode(text)
    end
    if string.find(stays, '(' .. name .. ')', 1, true) then
      return name
    end
  end
  keep(key, state .. (created or '"0001-01-01T00:00:00Z"') .. ',"TTL":0}', expiry)
  if channel ~= '' then
    redis.pcall('PUBLISH', channel, '')
  end
  return name
end
`

var advanceScript = redis.NewScript(advanceFunction + "return {advance(KEYS[1], unpack(ARGV, 1, 4)), 0}")

// endMemberToo advances a member of a chord that has ended, and notes that: see endMemberFunction. It is for a single
// Redis: in a Cluster the state and the group lie in different slots.
var endMemberToo = redis.NewScript(advanceFunction + endMemberFunction + `
local before = advance(KEYS[1], unpack(ARGV, 1, 4))
return {before, endMember(KEYS[2], KEYS[3], KEYS[1], ARGV[3])}
`)

// stays lists, for the states that a worker writes, what they do not take the place of.
var stays = map[string]string{
	tasks.StateReceived: "(STARTED)(SUCCESS)(FAILURE)",
	tasks.StateStarted:  "(SUCCESS)(FAILURE)",
	tasks.StateRetry:    "(SUCCESS)(FAILURE)",
	tasks.StateFailure:  "(SUCCESS)",
	tasks.StateSuccess:  "",
}

// notCreated ends the JSON of a state that does not say when its task was made.
var notCreated = []byte(`"0001-01-01T00:00:00Z","TTL":0}`)

// advance writes a state in the place of the one before, if that was not written yet.
func (b *backend) advance(signature *tasks.Signature, state *tasks.TaskState) (before string, err error) {
	b.unwritten.take(signature.UUID)
	state.TaskName = signature.Name
	return b.write(state, expiryOfState(b, signature, state))
}

// write writes a state unless the one before is to stay, and returns the latter's name, empty if there is none.
func (b *backend) write(state *tasks.TaskState, expiry time.Duration) (before string, err error) {
	before, _, err = writeBy(b, advanceScript, []string{state.TaskUUID}, state, expiry)
	return before, err
}

// writeBy runs a script that writes a state, and returns what it answers with.
func writeBy(b *backend, script *redis.Script, keys []string, state *tasks.TaskState, expiry time.Duration) (
	before string, ended int, err error,
) {
	encoded, err := taskjson.MarshalState(state)
	if err != nil {
		return "", 0, fmt.Errorf("encode state %s of task %s: %w", state.State, state.TaskUUID, err)
	}
	channel := ""
	if state.IsCompleted() && !b.settings.withoutNotifications {
		channel = endChannel(state.TaskUUID)
	}
	var reply []any
	err = b.attempt(func(ctx context.Context) (err error) {
		reply, err = b.pipelines.run(ctx, script, keys,
			stays[state.State], bytes.TrimSuffix(encoded, notCreated), expiry.Milliseconds(), channel).Slice()
		return err
	})
	if err == nil && len(reply) < 2 {
		err = errShortReply
	}
	if err != nil {
		return "", 0, fmt.Errorf("write state %s of task %s: %w", state.State, state.TaskUUID, err)
	}
	return text(reply[0]), integer(reply[1]), nil
}
