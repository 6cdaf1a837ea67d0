package redisadapter

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

// A group that our TriggerChord has flagged also says when, and by which call. Machinery's backends read past that.
//
// The scripts look for members of the JSON as json.Marshal writes them. They cannot meet them within a UUID, where
// every quote follows a backslash.

// triggerScript flags a group and returns 1 to the call that did so, even if the call is repeated because its first
// reply was lost.
var triggerScript = redis.NewScript(clock + keep + `
local group = redis.call('GET', KEYS[1])
if not group then
  return false
end
if string.find(group, '"ChordTriggeredBy":"' .. ARGV[1] .. '"', 1, true) then
  return 1
end
local from, to = string.find(group, '"ChordTriggered":false', 1, true)
if not from then
  return 0
end
local flag = '"ChordTriggered":true,"ChordTriggeredAt":' .. string.format('%.0f', now)
  .. ',"ChordTriggeredBy":"' .. ARGV[1] .. '"'
keep(KEYS[1], string.sub(group, 1, from - 1) .. flag .. string.sub(group, to + 1), ARGV[2])
return 1
`)

// releaseScript takes back a flag that is older than ARGV[1] milliseconds. It returns how many are left until then; no
// more are where there is nothing, or nothing more, to take back.
var releaseScript = redis.NewScript(clock + keep + `
local group = redis.call('GET', KEYS[1])
if not group then
  return 0
end
local from, to, at = string.find(group, '"ChordTriggered":true,"ChordTriggeredAt":(%d+),"ChordTriggeredBy":"%w+"')
if not from then
  return 0
end
local left = at + ARGV[1] - now
if left > 0 then
  return left
end
keep(KEYS[1], string.sub(group, 1, from - 1) .. '"ChordTriggered":false' .. string.sub(group, to + 1), ARGV[2])
return 0
`)

// callbackPoll is how often the state of a callback is looked at that another worker may be about to send.
const callbackPoll = 100 * time.Millisecond

// TriggerChord returns true once for each group, whichever process asks: to the one that is to send the chord's
// callback. It does so again where that process was not heard of and a member was run again: see WithCallbackTimeout.
// Where the group is not kept, the chord fails with ErrGroupGone, or the error is redis.Nil, wrapped, if it was not a
// worker of this process that asked.
func (b *backend) TriggerChord(groupUUID string) (bool, error) {
	call := rand.Text()
	var triggered bool
	err := b.attempt(func(ctx context.Context) (err error) {
		triggered, err = triggerScript.Run(ctx, b.client, []string{groupUUID}, call, b.expiry.Milliseconds()).Bool()
		return err
	})
	if err != nil {
		err = b.failChord(groupUUID, fmt.Errorf("trigger chord of group %s: %w", groupUUID, err))
	}
	if !triggered {
		b.ending.leave(groupUUID)
	}
	return triggered, err
}

// resumeChord is called for a member that had succeeded before. The worker that ran it then may have died after it had
// triggered the chord and before it sent the callback. Then this waits until that is certain, and takes the flag back:
// the worker that runs the member now will trigger the chord.
func (b *backend) resumeChord(groupUUID, callbackUUID string) error {
	for {
		callback, err := b.GetState(callbackUUID)
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		if err == nil && callback.State != tasks.StatePending {
			return nil
		}
		left, err := b.releaseChord(groupUUID)
		if err != nil || left <= 0 {
			return err
		}
		time.Sleep(min(left, callbackPoll))
	}
}

func (b *backend) releaseChord(groupUUID string) (left time.Duration, err error) {
	err = b.attempt(func(ctx context.Context) error {
		milliseconds, err := releaseScript.Run(ctx, b.client, []string{groupUUID},
			b.settings.callbackTimeout.Milliseconds(), b.expiry.Milliseconds()).Int64()
		left = time.Duration(milliseconds) * time.Millisecond
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("resume chord of group %s: %w", groupUUID, err)
	}
	return left, nil
}
