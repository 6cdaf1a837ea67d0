package redisadapter

import (
	"context"
	"sync"
	"time"

	"github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
)

const (
	// lapRest is how long a worker leaves a queue alone that holds nothing for it.
	lapRest = 100 * time.Millisecond
	// longestLap bounds the work between two rests on a long queue of other workers' tasks.
	longestLap = 32
)

// turnAway gives a task that this worker does not know to the others on the queue.
func (c *consumer) turnAway(signature *tasks.Signature, message string) {
	if signature.IgnoreWhenTaskNotRegistered {
		return
	}
	queued, err := c.giveBack(message)
	if err != nil {
		log.ERROR.Printf("redisadapter: lost unknown task %s (%s): stopped before redis took it back: %v",
			signature.Name, signature.UUID, err)
		return
	}
	if c.lap.miss(queued) {
		log.INFO.Printf("redisadapter: task %s (%s) is not registered here, put back on %s",
			signature.Name, signature.UUID, c.queue)
	}
}

// giveBack returns the length of the queue. It tries for as long as the worker runs, since nobody else has the task.
func (c *consumer) giveBack(message string) (int64, error) {
	for {
		queued, err := c.client.RPush(context.Background(), c.queue, message).Result()
		if err == nil {
			return queued, nil
		}
		if !c.rest(retryPause) {
			return 0, err
		}
	}
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
