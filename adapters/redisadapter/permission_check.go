package redisadapter

import (
	"context"
	"strings"

	"github.com/go-redis/redis/v8"
)

// refusedCommands answers with the names of commands that the user may not run. It tries each of those of brokers and
// dead letters on a key that nothing else uses. What fails for another reason is permitted. Those that only backends and
// stores need are for them to report: theirs may be another user, or another Redis.
var refusedCommands = redis.NewScript(`
local key, refused = KEYS[1], {}
for _, command in ipairs({
	{'TIME'}, {'RPUSH', key, ''}, {'PEXPIRE', key, 1000}, {'PERSIST', key}, {'LPUSH', key, ''},
	{'LMOVE', key, key, 'LEFT', 'LEFT'}, {'LINDEX', key, 0}, {'LLEN', key},
	{'LPOS', key, ''}, {'LRANGE', key, 0, 0}, {'LREM', key, 1, '-'}, {'LPOP', key}, {'EXISTS', key}, {'GET', key},
	{'SET', key, 0, 'PX', 1000}, {'DECRBY', key, 1}, {'SADD', key, ''}, {'SISMEMBER', key, ''},
	{'XADD', key, '*', '', ''}, {'XDEL', key, '0-1'}, {'XLEN', key}, {'XRANGE', key, '-', '-'}, {'XREVRANGE', key, '-', '-'},
	{'ZADD', key, 0, ''}, {'ZCARD', key}, {'ZINCRBY', key, 0, ''}, {'ZRANGE', key, 0, 0}, {'ZRANGEBYSCORE', key, 0, 0},
	{'ZRANK', key, ''}, {'ZREM', key, ''}, {'ZREMRANGEBYRANK', key, 0, 0}, {'ZSCORE', key, ''}, {'PTTL', key}, {'DEL', key},
}) do
	local reply = redis.pcall(unpack(command))
	local failed = type(reply) == 'table' and reply.err
	if failed and (string.find(failed, 'ACL failure', 1, true) or string.find(failed, "can't run this command", 1, true)) then
		refused[#refused + 1] = string.lower(command[1])
	end
end
return refused
`)

// checkPermissions warns of commands and keys of a queue that the user of the client may not use.
func (b *broker) checkPermissions(ctx context.Context, queue string) {
	logger := b.settings.logger.With("queue", queue)
	letters := b.deadLettersOf(queue)
	probe := beside(queue, ":check")
	needed := []string{queue, probe, b.delayed.key, beside(b.delayed.key, ":claim"), letters.key, letters.queuesKey()}
	for _, shard := range b.settings.sharding.of(queue)[1:] {
		needed = append(needed, shard, beside(shard, ":check"))
	}
	keys := refusedKeys(ctx, b.client, needed...)
	commands := refusedOutsideScripts(ctx, b.client, probe)
	inScripts, err := refusedCommands.Run(ctx, b.client, []string{probe}).StringSlice()
	commands = append(commands, inScripts...)
	switch {
	case ctx.Err() != nil:
		return // the worker stops
	case len(commands) > 0:
		logger.Warn("redis does not permit commands that workers need: see the ACL line of package redisadapter",
			"commands", strings.Join(commands, " "))
	case err != nil:
		logger.Warn("could not look at what redis permits", "error", err)
	}
	if len(keys) > 0 {
		logger.Warn("redis does not permit keys that workers need: see the ACL line of package redisadapter",
			"keys", strings.Join(keys, " "))
	}
}

func refusedKeys(ctx context.Context, client redis.UniversalClient, keys ...string) (refused []string) {
	replies, _ := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, key := range keys {
			pipe.Exists(ctx, key)
		}
		return nil
	})
	for i, reply := range replies {
		// Where EXISTS itself is refused, nothing is known of the keys.
		if err := reply.Err(); isRefused(err) && strings.Contains(err.Error(), "permissions to access") {
			refused = append(refused, keys[i])
		}
	}
	return refused
}

// refusedOutsideScripts tries what scripts may not call, and what runs them. Redis looks at the rights of BLMOVE before it
// looks at the time to wait, and does not wait for less than none.
func refusedOutsideScripts(ctx context.Context, client redis.UniversalClient, key string) (refused []string) {
	for _, tried := range []struct {
		command string
		err     error
	}{
		{"eval", client.Eval(ctx, "return 0", []string{key}).Err()},
		{"evalsha", client.EvalSha(ctx, strings.Repeat("0", 40), []string{key}).Err()},
		{"blmove", client.Do(ctx, "BLMOVE", key, key, "LEFT", "LEFT", -1).Err()},
	} {
		if isRefused(tried.err) {
			refused = append(refused, tried.command)
		}
	}
	return refused
}

// isRefused reports whether the user may not run a command, or use its keys, in a script too.
func isRefused(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.HasPrefix(text, "NOPERM ") || strings.Contains(text, "user executing the script can't") ||
		strings.Contains(text, "ACL failure in script")
}
