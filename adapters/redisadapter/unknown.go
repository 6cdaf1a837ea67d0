package redisadapter

import (
	"context"
	"sync"
	"time"

	"github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

const (
	// lapRest is how long a worker leaves a queue alone that holds nothing for it.
	lapRest = 100 * time.Millisecond
	// longestLap bounds the work between two rests on a long queue of other workers' tasks.
	longestLap = 32
)

// moveToEnd moves a message from the processing to the end of the queue, and answers with the queue's length.
var moveToEnd = redis.NewScript(`
if redis.call('LPOS', KEYS[1], ARGV[1]) then
	redis.call('RPUSH', KEYS[2], ARGV[1])
	redis.call('LREM', KEYS[1], 1, ARGV[1])
end
return redis.call('LLEN', KEYS[2])
`)

// turnAway gives a task that this worker does not know to the others on the queue.
func (c *consumer) turnAway(signature *tasks.Signature, message string) outcome {
	if signature.IgnoreWhenTaskNotRegistered {
		return processed
	}
	var queued int64
	o := c.insist(moved, "turn a task away on "+c.keys.queue, func(ctx context.Context) (err error) {
		queued, err = moveToEnd.Run(ctx, c.client, []string{c.processing, c.keys.queue}, message).Int64()
		return err
	})
	if o == moved && c.lap.miss(queued) {
		log.INFO.Printf("redisadapter: task %q (%q) is not registered here, put back on %s",
			signature.Name, signature.UUID, c.keys.queue)
	}
	return o
}

// lap counts the tasks in a row that were not for this worker. When they are as many as the queue is long it has seen
// them all, and going round again at once would only burn CPU.
type lap struct {
	mu       sync.Mutex
	misses   int64
	reported bool
	restDue  bool
}

// hit ends the lap: there is work here.
func (l *lap) hit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.misses, l.reported, l.restDue = 0, false, false
}

// miss notes a task that was put back on a queue of the given length. It is true for the first since the last hit,
// so that one line in the log stands for all.
func (l *lap) miss(queued int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.misses++
	if l.misses >= min(queued, longestLap) {
		l.misses, l.restDue = 0, true
	}
	first := !l.reported
	l.reported = true
	return first
}

// takeRest tells whether a rest is due, once.
func (l *lap) takeRest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	due := l.restDue
	l.restDue = false
	return due
}
