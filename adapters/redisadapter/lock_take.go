package redisadapter

import (
	"context"
	"time"

	"github.com/go-redis/redis/v8"
)

// A lockClaim is what a lock is asked for: by which owner and in which call, and for how long.
type lockClaim struct {
	owner, call string
	duration    time.Duration
}

// taken is what a takeFunc returns where the key is locked by this claim.
const taken time.Duration = -1

// A takeFunc locks a key, or returns how long it still is locked by another claim.
type takeFunc func(ctx context.Context, key string, claim lockClaim) (time.Duration, error)

// lockScript gives the key to a claim where it is free; where the same call has it, whose reply was lost; and where the
// same owner has it for its firing before. A key that does not expire is none of ours: Machinery's own lock can leave
// one behind. Durations are those of isOfThisFiring, in milliseconds.
var lockScript = redis.NewScript(`
local owner, call, duration = ARGV[1], ARGV[2], tonumber(ARGV[3])
local claim = owner .. ':' .. call
local held = redis.call('GET', KEYS[1])
if held and held ~= claim then
	local remaining = redis.call('PTTL', KEYS[1])
	local ownersNext = string.sub(held, 1, #owner + 1) == owner .. ':' and remaining < duration / 2
	if remaining >= 0 and not ownersNext then
		return remaining
	end
end
redis.call('SET', KEYS[1], claim, 'PX', duration)
return -1
`)

func takeIn(client redis.UniversalClient) takeFunc {
	return func(ctx context.Context, key string, claim lockClaim) (time.Duration, error) {
		// Rounded up, or a firing of the last millisecond could be sent again.
		duration := (claim.duration + time.Millisecond - 1).Milliseconds()
		remaining, err := lockScript.Run(ctx, client, []string{key}, claim.owner, claim.call, duration).Int64()
		if err != nil {
			return 0, err
		}
		if remaining < 0 {
			return taken, nil
		}
		// Redis rounds down what remains.
		return time.Duration(remaining+1) * time.Millisecond, nil
	}
}
