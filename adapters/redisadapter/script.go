package redisadapter

import (
	"errors"

	"github.com/go-redis/redis/v8"
)

// clock gives scripts the time in milliseconds. It is that of Redis: those of workers differ.
const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`

// whenFull goes before the first write of scripts that must work on a Redis that has reached maxmemory: they take, put
// back and end what is there, so that it becomes less. Redis refuses commands that need memory unless the script has
// written before. This write changes nothing: the first key of these scripts has no expiry.
const whenFull = `
redis.call('PERSIST', KEYS[1])
`

// keep gives scripts a function that writes a string which expires after so many milliseconds, or never for 0. It works
// on a full Redis: see whenFull. The new value has an expiry of its own.
const keep = `
local function keep(key, value, expiry)
	redis.call('PERSIST', key)
	if tonumber(expiry) > 0 then
		redis.call('SET', key, value, 'PX', expiry)
	else
		redis.call('SET', key, value)
	end
end
`

var errShortReply = errors.New("script answered less than it should")

// numbered splits the reply of a script that answers with a number and some messages.
func numbered(reply *redis.Cmd) (int64, []string, error) {
	parts, err := reply.Slice()
	if err != nil {
		return 0, nil, err
	}
	if len(parts) == 0 {
		return 0, nil, errShortReply
	}
	messages := make([]string, len(parts)-1)
	for i, part := range parts[1:] {
		messages[i] = text(part)
	}
	number, _ := parts[0].(int64)
	return number, messages, nil
}
