package redisadapter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

// A chord may last longer than ResultsExpireIn, so its group and the states of its members are kept for the chord
// expiry. A set beside the group holds those members that have ended; whoever completes it sets all to ResultsExpireIn.
//
// They expire all the same: the sender may have died before it had sent all members, so that no one completes the set.

// isMember reports whether a task is a member of a chord.
func isMember(signature *tasks.Signature) bool {
	return signature.GroupUUID != "" && signature.ChordCallback != nil
}

// expiryOf returns after how long the state of a task expires that has not ended; 0 is never. A member of any group is
// kept for longer: when its state is gone, whoever waits for it is told that it was not sent.
func (b *backend) expiryOf(signature *tasks.Signature) time.Duration {
	if signature.GroupUUID == "" || b.expiry == 0 {
		return b.expiry
	}
	expiry := max(b.expiry, b.settings.chordExpiry)
	if signature.ETA != nil {
		expiry += max(0, time.Until(*signature.ETA))
	}
	return expiry
}

// expiryOfState is expiryOf unless the task has ended: then only a chord needs its state for longer than others do.
func expiryOfState(b *backend, signature *tasks.Signature, state *tasks.TaskState) time.Duration {
	if state.IsCompleted() && !isMember(signature) {
		return b.expiry
	}
	return b.expiryOf(signature)
}

// endedKey is where the members of a group are that have ended.
func endedKey(groupUUID string) string { return beside(groupUUID, ":ended") }

// extend is a function of scripts that has a key expire after so many milliseconds, unless it is kept for longer already.
const extend = `
local function extend(key, expiry)
	local left = redis.call('PTTL', key)
	if left ~= -1 and left < tonumber(expiry) then
		redis.call('PEXPIRE', key, expiry)
	end
end
`

const extendKey = extend + `
extend(KEYS[1], ARGV[1])
return 0
`

// endMemberFunction notes that a member has ended. It answers with how many have, or with -1 where the group is not kept
// any more.
const endMemberFunction = extend + `
local function endMember(group, ended, member, expiry)
	if redis.call('EXISTS', group) == 0 then
		return -1
	end
	redis.call('SREM', ended, '') -- as whenFull does, where the set has an expiry
	redis.call('SADD', ended, member)
	redis.call('PEXPIRE', ended, expiry)
	extend(group, expiry)
	return redis.call('SCARD', ended)
end
`

var endMemberScript = redis.NewScript(endMemberFunction + "return endMember(KEYS[1], KEYS[2], ARGV[1], ARGV[2])")

// end writes how a task has ended, and returns the state before. If it is the last member of its chord, or there is no
// group any more that it could be a member of, what was kept for it expires.
func end(b *backend, signature *tasks.Signature, state *tasks.TaskState) (before string, err error) {
	noteReturned(b, signature)
	if !isMember(signature) || b.expiry == 0 {
		return b.advance(signature, state)
	}
	ended := 0
	if b.pipelines.single {
		b.unwritten.take(signature.UUID)
		state.TaskName = signature.Name
		keys := []string{signature.UUID, signature.GroupUUID, endedKey(signature.GroupUUID)}
		before, ended, err = writeBy(b, endMemberToo, keys, state, b.expiryOf(signature))
	} else if before, err = b.advance(signature, state); err == nil {
		ended, err = b.endMember(signature)
	}
	if err != nil {
		return "", err
	}
	switch {
	case ended < 0:
		err = b.expire(signature.UUID)
	case ended >= signature.GroupTaskCount:
		err = expireGroup(b, signature.GroupUUID)
	}
	if err != nil {
		return "", fmt.Errorf("end task %s of group %s: %w", signature.UUID, signature.GroupUUID, err)
	}
	return before, nil
}

// endMember notes that a member has ended, and returns what endMemberFunction does.
func (b *backend) endMember(signature *tasks.Signature) (ended int, err error) {
	keys := []string{signature.GroupUUID, endedKey(signature.GroupUUID)}
	err = b.attempt(func(ctx context.Context) (err error) {
		ended, err = endMemberScript.Run(ctx, b.client, keys, signature.UUID, b.expiryOf(signature).Milliseconds()).Int()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("end task %s of group %s: %w", signature.UUID, signature.GroupUUID, err)
	}
	return ended, nil
}

func expireGroup(b *backend, groupUUID string) error {
	group, err := b.getGroup(groupUUID)
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return err
	}
	// The group comes last: until then, a member that is run again has all of this done again.
	return b.expire(append(slices.Clone(group.TaskUUIDs), endedKey(groupUUID), groupUUID)...)
}

func (b *backend) expire(keys ...string) error {
	for part := range slices.Chunk(keys, groupChunk) {
		err := b.attempt(func(ctx context.Context) error {
			_, err := b.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
				for _, key := range part {
					pipe.PExpire(ctx, key, b.expiry)
				}
				return nil
			})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ending are the chords whose members this process is ending, by their groups. Machinery asks for a group by its UUID
// alone, and right after a member's SetStateSuccess.
type ending struct {
	mu      sync.Mutex
	byGroup map[string]*endingChord
}

type endingChord struct {
	callback *tasks.Signature
	members  int                // that this process is ending
	states   []*tasks.TaskState // of all members, when they have ended
}

func (e *ending) enter(member *tasks.Signature) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byGroup == nil {
		e.byGroup = make(map[string]*endingChord)
	}
	chord := e.byGroup[member.GroupUUID]
	if chord == nil {
		chord = &endingChord{callback: member.ChordCallback}
		e.byGroup[member.GroupUUID] = chord
	}
	chord.members++
}

// leave is called for a member that Machinery asks nothing more for.
func (e *ending) leave(groupUUID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	chord := e.byGroup[groupUUID]
	if chord == nil {
		return
	}
	if chord.members--; chord.members <= 0 {
		delete(e.byGroup, groupUUID)
	}
}

// callbackOf returns nil where this process is not ending a member of the chord.
func (e *ending) callbackOf(groupUUID string) *tasks.Signature {
	e.mu.Lock()
	defer e.mu.Unlock()
	if chord := e.byGroup[groupUUID]; chord != nil {
		return chord.callback
	}
	return nil
}

// keepStates has the states at hand that Machinery asks for next: it drops the callback where it cannot read them.
func (e *ending) keepStates(groupUUID string, states []*tasks.TaskState) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if chord := e.byGroup[groupUUID]; chord != nil {
		chord.states = states
	}
}

func (e *ending) takeStates(groupUUID string) []*tasks.TaskState {
	e.mu.Lock()
	defer e.mu.Unlock()
	chord := e.byGroup[groupUUID]
	if chord == nil {
		return nil
	}
	states := chord.states
	chord.states = nil
	return states
}

// ErrGroupGone is the reason of a chord's failure whose callback cannot be sent any more: its group, or the state of
// one of its members, is not kept, because it has expired, was evicted or was purged.
var ErrGroupGone = errors.New("chord cannot be completed: its group is not kept any more (see WithChordExpiry and ResultsExpireIn)")

// failChord ends a chord whose group is gone: running its members again would not bring it back. The one who waits for
// the chord gets the reason. An error that says something else, or is none of a chord whose member this process is
// ending, is returned as it is.
func (b *backend) failChord(groupUUID string, gone error) error {
	callback := b.ending.callbackOf(groupUUID)
	if callback == nil || !errors.Is(gone, redis.Nil) {
		return gone
	}
	_, err := b.GetState(callback.UUID)
	if err == nil {
		return nil // it was sent, or has failed for this
	}
	if !errors.Is(err, redis.Nil) {
		return err
	}
	withTask(b.settings.logger, callback).Error("chord failed", "error", ErrGroupGone)
	fail := b.failChordBy
	if fail == nil {
		fail = b.SetStateFailure
	}
	return fail(callback, fmt.Sprintf("%v: %v", ErrGroupGone, gone))
}

// FailChordsBy implements middleware.ChordFailer.
func (b *backend) FailChordsBy(fail func(callback *tasks.Signature, reason string) error) {
	b.failChordBy = fail
}
