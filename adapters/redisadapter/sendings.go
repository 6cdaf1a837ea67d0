package redisadapter

import (
	"context"
	"strings"

	"github.com/go-redis/redis/v8"
)

// A sending is a task that is sent with its state PENDING.
type sending struct {
	uuid, queue string
	expiry      int64 // of the state, in milliseconds; 0 is never
	state, body []byte
	// What came of it. Where it was refused with others, nothing of it was written.
	err     error
	refused bool
}

// pushPending writes the states of tasks and appends their messages to a queue: all of that, or nothing. The keys of the
// states follow the queue; the arguments are their expiry, the states and the messages. Where Redis refuses one of several
// tasks, it answers with 0. What it has not written stays: a task may have run under that UUID.
var pushPending = redis.NewScript(`
local expiry, last, written = tonumber(ARGV[1]), #KEYS, 1
local function send()
	for i = 2, last do
		if expiry > 0 then
			redis.call('SET', KEYS[i], ARGV[i], 'PX', ARGV[1])
		else
			redis.call('SET', KEYS[i], ARGV[i])
		end
		written = i
	end
	return redis.call('RPUSH', KEYS[1], unpack(ARGV, last + 1))
end
local sent, reply = pcall(send)
if sent then
	return reply
end
if written > 1 then
	redis.pcall('DEL', unpack(KEYS, 2, written))
end
if last > 2 then
	return 0
end
return type(reply) == 'table' and reply or redis.error_reply(reply)
`)

// push sends a task, in one command with those of other calls for the same queue. Where that is refused each is sent alone:
// Redis may refuse one of them, or not have known the script.
func (p *pipelines) push(ctx context.Context, s *sending) error {
	if err := p.await(&call{ctx: ctx, sending: s}); err != nil {
		return err
	}
	if !s.refused {
		return s.err
	}
	alone := sendings{s}
	return p.run(ctx, pushPending, alone.keys(), alone.args()...).Err()
}

// sendings are those that one command sends.
type sendings []*sending

// join adds a task to those that it can go with.
func join(all []sendings, s *sending) []sendings {
	for i, together := range all {
		if together[0].queue == s.queue && together[0].expiry == s.expiry {
			all[i] = append(together, s)
			return all
		}
	}
	return append(all, sendings{s})
}

func (together sendings) keys() []string {
	keys := make([]string, 1, 1+len(together))
	keys[0] = together[0].queue
	for _, s := range together {
		keys = append(keys, s.uuid)
	}
	return keys
}

func (together sendings) args() []any {
	args := make([]any, 1, 1+2*len(together))
	args[0] = together[0].expiry
	for _, s := range together {
		args = append(args, s.state)
	}
	for _, s := range together {
		args = append(args, s.body)
	}
	return args
}

func (together sendings) eval(ctx context.Context, pipe redis.Pipeliner) *redis.Cmd {
	return pushPending.EvalSha(ctx, pipe, together.keys(), together.args()...)
}

// settle notes what came of all. What is no reply of the script, nor Redis' of before it ran, means the same for each as if
// it had been sent alone.
func (together sendings) settle(reply *redis.Cmd) {
	length, err := reply.Int64()
	refused := err == nil && length == 0 || wasNotRun(err)
	for _, s := range together {
		s.err, s.refused = err, refused
	}
}

// wasNotRun reports whether Redis did not know a script, or permits not all of its keys.
func wasNotRun(err error) bool {
	return err != nil && (strings.HasPrefix(err.Error(), "NOSCRIPT ") || strings.HasPrefix(err.Error(), "NOPERM "))
}
