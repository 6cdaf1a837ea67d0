package redisadapter

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
)

// nearEnd is how far from an end of a list a message is removed from it. One that is farther leaves a mark: to remove it
// Redis would compare all messages up to there.
const nearEnd = 2000

// claimPause is how long to wait for a task that is on its way to its queue.
const claimPause = 100 * time.Millisecond

// A deleted mark is a task that no worker knows, and none puts back, neither Machinery's own.
const (
	deletedMarkStart = `{"Name":"machinery-envelope.deleted","UUID":"deleted_`
	deletedMarkEnd   = `","IgnoreWhenTaskNotRegistered":true}`
)

func newDeletedMark() string { return deletedMarkStart + rand.Text() + deletedMarkEnd }

var deletedMarkLength = len(newDeletedMark())

func isDeletedMark(message string) bool {
	return len(message) == deletedMarkLength && strings.HasPrefix(message, deletedMarkStart) &&
		strings.HasSuffix(message, deletedMarkEnd)
}

// These remove a message that is still at its position, and answer 1, or 0 where it is elsewhere now. Where the last one
// of a queue with priorities goes, another takes its place.
var (
	removeFromList = redis.NewScript(whenFull + fromEnd + sameMessage + refill + `
if not same() then
	return 0
end
local mark, near = ARGV[5], tonumber(ARGV[6])
redis.call('LSET', KEYS[1], -1 - position, mark)
if position < near then
	redis.call('LREM', KEYS[1], -1, mark)
elseif size() - position <= near then
	redis.call('LREM', KEYS[1], 1, mark)
end
refill(KEYS[2], 2)
return 1
`)
	removeFromSet = redis.NewScript(sortedSet + sameMessage + `
local message, member = same()
return member and redis.call('ZREM', KEYS[1], member) or 0
`)
	// becomeDue has a delayed task come first, and tells the workers.
	becomeDue = redis.NewScript(clock + sortedSet + sameMessage + `
local message, member = same()
if not member then
	return 0
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local due = math.min(now * 1e6, tonumber(first[2]))
redis.call('ZADD', KEYS[1], string.format('%.0f', due), member)
redis.pcall('PUBLISH', ARGV[5], '')
return 1
`)
)

// Delete removes a task that does not run.
func (s *source) Delete(ctx context.Context, uuid string) error {
	return s.act(ctx, uuid, "delete", s.remove)
}

// RunNow moves a delayed task to its queue.
func (s *source) RunNow(ctx context.Context, uuid string) error {
	return s.act(ctx, uuid, "run", s.runNow)
}

// act finds a task and does something to it, again where the task was elsewhere by then.
func (s *source) act(ctx context.Context, uuid, what string, do func(context.Context, location) (done bool, err error)) error {
	for range findAttempts {
		at, err := s.find(ctx, uuid)
		if err != nil {
			return err
		}
		done, err := do(ctx, at)
		if err != nil {
			return fmt.Errorf("%s task %.100q: %w", what, uuid, err)
		}
		if done {
			return nil
		}
	}
	return fmt.Errorf("%s task %.100q: it moves faster than it is found, try again", what, uuid)
}

func (s *source) remove(ctx context.Context, at location) (bool, error) {
	switch {
	case at.place.state == inspect.Running:
		return false, inspect.ErrRunning
	case at.place.claimed:
		if !backoff.Sleep(ctx, claimPause) {
			return false, ctx.Err()
		}
		return false, nil
	}
	script, args := at.by(removeFromList, removeFromSet)
	keys := []string{at.place.key}
	if at.place.scores == none {
		args = append(args, newDeletedMark(), nearEnd)
		keys = append(keys, at.place.queue)
	}
	if at.place.state == inspect.Waiting {
		waiting, err := s.waiting(ctx, at.place.queue)
		if err != nil {
			return false, err
		}
		for _, level := range slices.Backward(waiting[:len(waiting)-1]) {
			keys = append(keys, level.key)
		}
	}
	return script.Run(ctx, s.client, keys, args...).Bool()
}

func (s *source) runNow(ctx context.Context, at location) (bool, error) {
	if at.place.state != inspect.Delayed {
		return false, fmt.Errorf("it is %s, not delayed: %w", at.place.state, inspect.ErrNotFound)
	}
	if at.place.claimed {
		return true, nil
	}
	_, args := at.by(nil, becomeDue)
	moved, err := becomeDue.Run(ctx, s.client, []string{at.place.key}, append(args, s.delayed.news.channel)...).Bool()
	if err != nil || !moved {
		return false, err
	}
	// As a worker does, where none is there. One that is does so too, and where both do the task is moved once.
	mover := claim{delayedTasks: &s.delayed, claimant: rand.Text()}
	_, err = mover.release(ctx, 0)
	return true, err
}
