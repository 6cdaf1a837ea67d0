package redisadapter

import (
	"fmt"

	"github.com/go-redis/redis/v8"
)

// letterBounds are how many dead letters are kept, and how many bytes they may have together; 0 is no bound.
type letterBounds struct{ letters, bytes int64 }

// WithMaxDeadLetters sets how many dead letters are kept at most, at least 1: each one more removes the oldest, which
// is logged and counted (see DeadLetters.Evicted). By default all are kept.
func WithMaxDeadLetters(n int) DeadLettersOption {
	return deadLettersOption(func(d *DeadLetters) error {
		if n < 1 {
			return invalid(fmt.Sprintf("WithMaxDeadLetters(%d)", n), "it must be at least 1: without it all are kept")
		}
		d.bounds.letters = int64(n)
		return nil
	})
}

// WithMaxDeadLetterBytes sets how many bytes the messages, queues and reasons of all dead letters may have together, at
// least 1: while they have more, the oldest is removed, but never the newest. Each removal is logged and counted (see
// DeadLetters.Evicted). By default there is no bound. All who use the dead letters should have the same.
func WithMaxDeadLetterBytes(n int64) DeadLettersOption {
	return deadLettersOption(func(d *DeadLetters) error {
		if n < 1 {
			return invalid(fmt.Sprintf("WithMaxDeadLetterBytes(%d)", n), "it must be at least 1: without it all are kept")
		}
		d.bounds.bytes = n
		return nil
	})
}

// Evicted returns how many dead letters were removed to keep to WithMaxDeadLetters and WithMaxDeadLetterBytes, by this
// value.
func (d *DeadLetters) Evicted() int64 { return d.evicted.Load() }

func (d *DeadLetters) noteEvictions(ids []string) {
	d.evicted.Add(int64(len(ids)))
	for _, id := range ids {
		d.logger.Warn("dead letter was removed, because there are too many", "letters", d.key, "letter", id)
	}
}

// keys are those of the scripts: the stream, and how many bytes its entries have. The latter is there only where
// somebody bounds the bytes.
func (d *DeadLetters) keys() []string { return []string{d.key, beside(d.key, ":bytes")} }

// sizeOfLetter returns how many bytes an entry has, as XRANGE answers it.
const sizeOfLetter = `
local function size(entry)
	local bytes = 0
	for i = 2, #entry[2], 2 do
		bytes = bytes + #entry[2][i]
	end
	return bytes
end
`

// addLetter adds an entry and removes the oldest ones while there are too many, or too large ones. It answers with the
// IDs of those, and when it is repeated with the same again. The first one who bounds the bytes has all of them counted.
var addLetter = redis.NewScript(sizeOfLetter + `
local letters, counter, added = KEYS[1], KEYS[2], KEYS[3]
local message, queue, reason, maxLetters, maxBytes = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])

local evicted = {}
local before = redis.call('GET', added)
if before then
	for id in string.gmatch(before, '%S+') do
		evicted[#evicted + 1] = id
	end
	return evicted
end
redis.call('XDEL', letters, '0-1') -- as whenFull does, where the letters may have an expiry
redis.call('XADD', letters, '*', 'message', message, 'queue', queue, 'reason', reason)
local counted = redis.call('GET', counter)
local bytes = counted and tonumber(counted)
if bytes then
	bytes = bytes + #message + #queue + #reason
elseif maxBytes > 0 then
	bytes = 0
	local from = '-'
	while from do
		local page = redis.call('XRANGE', letters, from, '+', 'COUNT', 100)
		from = nil
		for _, entry in ipairs(page) do
			bytes, from = bytes + size(entry), '(' .. entry[1]
		end
	end
end
local length = redis.call('XLEN', letters)
while length > 1 and (maxLetters > 0 and length > maxLetters or maxBytes > 0 and bytes > maxBytes) do
	local oldest = redis.call('XRANGE', letters, '-', '+', 'COUNT', 1)[1]
	redis.call('XDEL', letters, oldest[1])
	length, evicted[#evicted + 1] = length - 1, oldest[1]
	bytes = bytes and bytes - size(oldest)
end
if bytes then
	redis.call('SET', counter, string.format('%.0f', bytes))
end
redis.call('SET', added, table.concat(evicted, ' '), 'PX', ARGV[6])
return evicted
`)

// dropLetter removes an entry and answers with 1, or with 0 where there is none.
var dropLetter = redis.NewScript(sizeOfLetter + `
local letters, counter, id = KEYS[1], KEYS[2], ARGV[1]
if redis.call('EXISTS', counter) == 1 then
	local entry = redis.call('XRANGE', letters, id, id)[1]
	if entry then
		redis.call('DECRBY', counter, size(entry))
	end
end
return redis.call('XDEL', letters, id)
`)

// dropAllLetters removes a stream and answers with its length. What is no stream stays, and is an error.
var dropAllLetters = redis.NewScript(`
local length = redis.call('XLEN', KEYS[1])
redis.call('DEL', KEYS[1], KEYS[2])
return length
`)
