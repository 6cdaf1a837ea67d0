package redisadapter

import (
	"context"
	"time"

	"github.com/go-redis/redis/v8"
)

// A queue is paused while its key paused exists. A worker finds that out whenever it fetches. One that waits in Redis is
// given a message all the same, and looks then, before it begins it: unless it has looked within pauseNotice, so that
// tasks that come one after the other need no look each. Who pauses a queue waits for that long.
const pauseNotice = 100 * time.Millisecond

var (
	pauseScript = redis.NewScript(whenFull + `
redis.call('SET', KEYS[1], ARGV[1])
return 0
`)
	// resumeScript is followed by a message that wakes the workers: those that do not hear it look within longWait.
	resumeScript = redis.NewScript(`
redis.call('DEL', KEYS[1])
redis.pcall('PUBLISH', ARGV[1], '')
return 0
`)
)

// paused reports whether the queue is paused.
func (p *processing) paused(ctx context.Context) (bool, error) {
	return isPaused(ctx, p.client, p.keys)
}

func isPaused(ctx context.Context, client redis.UniversalClient, keys queueKeys) (bool, error) {
	found, err := client.Exists(ctx, keys.paused).Result()
	return found > 0, err
}

func pause(ctx context.Context, client redis.UniversalClient, keys queueKeys) error {
	return pauseScript.Run(ctx, client, []string{keys.paused}, time.Now().UTC().Format(time.RFC3339)).Err()
}

// joinPause pauses a shard whose queue is paused: who did that may not have known the shard. It comes after the shard was
// noted, so that who resumes the queue knows it, and looks twice because that may be now.
func (p *processing) joinPause(ctx context.Context) error {
	queue := keysOf(queueOfShard(p.keys.queue))
	if queue == p.keys {
		return nil
	}
	if paused, err := isPaused(ctx, p.client, queue); err != nil || !paused {
		return err
	}
	if err := pause(ctx, p.client, p.keys); err != nil {
		return err
	}
	if paused, err := isPaused(ctx, p.client, queue); err != nil || paused {
		return err
	}
	return p.client.Del(ctx, p.keys.paused).Err()
}

// mayHavePaused reports whether the queue may be paused though the last fetch has found that it was not.
func (f *fetcher) mayHavePaused() bool { return time.Since(f.looked) >= pauseNotice }

// putBackIfPaused reports whether a message that has just come went back to the head of its queue.
func (f *fetcher) putBackIfPaused(ctx context.Context, body string) (bool, error) {
	if !f.mayHavePaused() {
		return false, nil
	}
	paused, err := f.processing.paused(ctx)
	if err != nil || !paused {
		return false, err
	}
	f.idle = false
	return true, f.processing.putBack(ctx, body)
}

// waitForResume returns when the queue may have been resumed.
func (f *fetcher) waitForResume() {
	f.leave()
	defer f.comeBack()
	timer := time.NewTimer(f.longWait)
	defer timer.Stop()
	select {
	case <-f.lifecycle.Stopping().Done():
	case <-f.resumed:
	case <-timer.C:
	}
}
