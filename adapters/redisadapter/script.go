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

// numbered splits the reply of a script that answers with a number and some messages.
func numbered(reply *redis.Cmd) (int64, []string, error) {
	parts, err := reply.Slice()
	if err != nil {
		return 0, nil, err
	}
	if len(parts) == 0 {
		return 0, nil, errors.New("script answered nothing")
	}
	messages := make([]string, len(parts)-1)
	for i, part := range parts[1:] {
		messages[i] = text(part)
	}
	number, _ := parts[0].(int64)
	return number, messages, nil
}
