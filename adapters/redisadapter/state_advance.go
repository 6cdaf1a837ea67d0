package redisadapter

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

// advanceScript writes a state unless the one before is to stay, and returns the latter. It only looks into the one
// before, and only adds to the new one when the task was made: results that pass through Lua's numbers and tables
// would not come out as they went in.
//
// Whoever may write states may lack the right to publish: that is no reason to lose the state.
var advanceScript = redis.NewScript(`
local stays, state, created, expiry, channel = ARGV[1], ARGV[2], '"0001-01-01T00:00:00Z"', ARGV[3], ARGV[4]
local name = ''
local text = redis.call('GET', KEYS[1])
if text then
  local readable, before = pcall(cjson.decode, text)
  if readable and type(before) == 'table' then
    name = tostring(before.State)
    if string.find(stays, '(' .. name .. ')', 1, true) then
      return name
    end
    if type(before.CreatedAt) == 'string' then
      created = cjson.encode(before.CreatedAt)
    end
  end
end
redis.call('SET', KEYS[1], state .. created .. ',"TTL":0}', 'PX', expiry)
if channel ~= '' then
  redis.pcall('PUBLISH', channel, '')
end
return name
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

// advance writes a state in the place of RECEIVED, if that was not written yet.
func (b *backend) advance(signature *tasks.Signature, state *tasks.TaskState) (before string, err error) {
	b.received.take(signature.UUID)
	return b.write(signature, state)
}

// write writes a state unless the one before is to stay, and returns the latter's name, empty if there is none.
func (b *backend) write(signature *tasks.Signature, state *tasks.TaskState) (before string, err error) {
	state.TaskName = signature.Name
	encoded, err := json.Marshal(state)
	if err != nil {
		return "", fmt.Errorf("encode state %s of task %s: %w", state.State, state.TaskUUID, err)
	}
	channel := ""
	if state.IsCompleted() && !b.silent {
		channel = endChannel(state.TaskUUID)
	}
	err = b.attempt(func(ctx context.Context) (err error) {
		before, err = advanceScript.Run(ctx, b.client, []string{state.TaskUUID},
			stays[state.State], bytes.TrimSuffix(encoded, notCreated), b.expiry.Milliseconds(), channel).Text()
		return err
	})
	if err != nil {
		return "", fmt.Errorf("write state %s of task %s: %w", state.State, state.TaskUUID, err)
	}
	return before, nil
}
