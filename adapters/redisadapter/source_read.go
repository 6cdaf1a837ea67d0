package redisadapter

import (
	"context"
	"strconv"

	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

const (
	// examinedAtOnce bounds how many messages a script looks at, so that it does not hold up others.
	examinedAtOnce = 256
	// touchedAtOnce bounds their bytes, but for the message that goes beyond.
	touchedAtOnce = 2 << 20
)

// These give scripts the messages of a key by positions, the first of which is 0: in a list from its head, or from its
// end, which does not change the position of what is not yet reached when workers take messages meanwhile; in a sorted
// set from the lowest score.
const (
	fromHead = `
local function size() return redis.call('LLEN', KEYS[1]) end
local function range(first, last) return redis.call('LRANGE', KEYS[1], first, last) end
`
	fromEnd = `
local function size() return redis.call('LLEN', KEYS[1]) end
local function range(first, last)
	local messages = redis.call('LRANGE', KEYS[1], -1 - last, -1 - first)
	for i = 1, math.floor(#messages / 2) do
		messages[i], messages[#messages + 1 - i] = messages[#messages + 1 - i], messages[i]
	end
	return messages
end
`
	sortedSet = `
local function size() return redis.call('ZCARD', KEYS[1]) end
local function range(first, last)
	local pairs, messages, scores = redis.call('ZRANGE', KEYS[1], first, last, 'WITHSCORES'), {}, {}
	for i = 1, #pairs, 2 do
		messages[#messages + 1], scores[#scores + 1] = pairs[i], pairs[i + 1]
	end
	return messages, scores
end
`
)

// readMessages looks at messages from a position on, and answers with how many there are, the next position, and of each
// one that has the needle in its beginning: position, length, beginning, score and failures. It looks at one message at a
// time where they are large, and else at a few: who asks for one in the middle of a long list waits for Redis to find it.
//
// Where so many are known to follow the position as at the page before, messages that have left since are allowed for.
const readMessages = `
local from, follow, want, cut, maxBytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local needle, labelled, atOnce, maxTouched = ARGV[6], ARGV[7] == '1', tonumber(ARGV[8]), tonumber(ARGV[9])
local length = size()
if follow >= 0 then
	from = math.max(math.min(from, length - follow), 0)
end
local counted = KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1
local reply, next, last = {length, from}, from, math.min(length, from + atOnce)
local found, bytes, touched, step = 0, 0, 0, 1

local function look(message, score)
	if labelled then
		message = string.sub(message, string.find(message, ':', 1, true) + 1)
	end
	local beginning = #message > cut and string.sub(message, 1, cut) or message
	if needle ~= '' and not string.find(beginning, needle, 1, true) then
		return
	end
	local failures = KEYS[2] and #message <= cut and '0' or ''
	if counted and failures == '0' then
		local counted = redis.pcall('ZSCORE', KEYS[2], redis.sha1hex(message))
		failures = type(counted) == 'string' and counted or '0' -- what is of another type counts nothing
	end
	for _, value in ipairs({tostring(next), tostring(#message), beginning, score or '', failures}) do
		reply[#reply + 1] = value
	end
	found, bytes = found + 1, bytes + #beginning
end

while next < last and found < want and bytes < maxBytes and touched < maxTouched do
	local messages, scores = range(next, math.min(next + step, last) - 1)
	if #messages == 0 then
		break
	end
	step = math.min(step * 2, 16)
	for i, message in ipairs(messages) do
		if found == want or bytes >= maxBytes then
			break
		end
		if #message > 16384 then
			step = 1
		end
		look(message, scores and scores[i])
		next, touched = next + 1, touched + #message
	end
end
reply[2] = tostring(next)
return reply
`

var (
	readFromHead  = redis.NewScript(fromHead + readMessages)
	readFromEnd   = redis.NewScript(fromEnd + readMessages)
	readSortedSet = redis.NewScript(sortedSet + readMessages)
)

// reading says what to read of a place: from a position on, so many messages, each only up to so many bytes, that have
// the needle in that part. follow is how many follow the position, or -1.
type reading struct {
	from, follow int
	want, cut    int
	needle       string
}

// entry is a message in a place.
type entry struct {
	place     *place
	position  int
	size      int
	beginning string
	score     string
	failures  int
}

// found are the messages that a script has read, of so many in the place, and the position after the last it looked at.
type found struct {
	entries []entry
	length  int
	next    int
}

// read reads a place from its head; a script looks at examinedAtOnce messages at most.
func (s *queueReader) read(ctx context.Context, p *place, r reading) (found, error) {
	if p.scores == none {
		return s.readBy(ctx, readFromHead, p, r)
	}
	return s.readBy(ctx, readSortedSet, p, r)
}

func (s *queueReader) readBy(ctx context.Context, script *redis.Script, p *place, r reading) (found, error) {
	keys := []string{p.key}
	if p.deliveries != "" {
		keys = append(keys, p.deliveries)
	}
	labelled := 0
	if p.scores == milliseconds {
		labelled = 1
	}
	length, parts, err := numbered(script.Run(ctx, s.client, keys, r.from, r.follow, r.want, r.cut, maxReplyBytes,
		r.needle, labelled, examinedAtOnce, touchedAtOnce))
	if isWrongType(err) {
		return found{}, nil // what is there is no queue's
	}
	if err != nil {
		return found{}, err
	}
	f := found{length: int(length), next: number(parts[0])}
	for parts = parts[1:]; len(parts) >= 5; parts = parts[5:] {
		failures := inspect.Unknown
		if parts[4] != "" {
			failures = number(parts[4])
		}
		f.entries = append(f.entries, entry{p, number(parts[0]), number(parts[1]), parts[2], parts[3], failures})
	}
	return f, nil
}

// number reads one that a script has written.
func number(text string) int {
	n, _ := strconv.ParseFloat(text, 64)
	return int(n)
}
