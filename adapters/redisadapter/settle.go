package redisadapter

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
)

// settler puts messages elsewhere that were not processed to their end. It tries until it succeeds, since nobody else
// sees to the message, or the worker stops: then the message is kept, and goes back to the queue when the consumer
// leaves.
type settler struct {
	processing  *processing
	letters     *DeadLetters
	maxAttempts int
	pauses      backoff.Policy
	lifecycle   *lifecycle.Worker
	outage      *delivery.Outage
}

func newSettler(b *broker, l *lifecycle.Worker, p *processing) *settler {
	return &settler{
		processing:  p,
		letters:     b.deadLettersOf(p.keys.queue),
		maxAttempts: b.settings.maxAttempts,
		pauses:      b.settings.backoff,
		lifecycle:   l,
		outage:      b.outage,
	}
}

// deadLetter gives a message to the dead letters.
func (s *settler) deadLetter(body string, reason error) disposition {
	letter := deadletter.Letter{Body: []byte(body), Queue: queueOfShard(s.processing.keys.queue), Reason: reason.Error()}
	token := rand.Text()
	return s.persist(processed, "write dead letters", func(ctx context.Context) error {
		return s.letters.add(ctx, token, letter)
	})
}

// deferMessage makes a message come again after a pause. When it has failed maxAttempts times it is left in its place.
func (s *settler) deferMessage(body string) (d disposition, failures int) {
	next := deferral{label: rand.Text(), maxAttempts: s.maxAttempts}
	d = s.persist(moved, "defer a task", func(ctx context.Context) error {
		before, err := s.processing.failures(ctx, body)
		if err != nil {
			return err
		}
		next.pause = s.pauses.Pause(before + 1)
		failures, err = s.processing.deferMessage(ctx, body, next)
		return err
	})
	return d, failures
}

// deferUncounted makes a message come again after a pause, for a reason that is no fault of its own.
func (s *settler) deferUncounted(body string, pause time.Duration) disposition {
	next := deferral{label: rand.Text(), pause: pause}
	return s.persist(moved, "defer a task", func(ctx context.Context) error {
		_, err := s.processing.deferMessage(ctx, body, next)
		return err
	})
}

// moveToEnd gives a message to other workers, and returns how long the queue is then.
func (s *settler) moveToEnd(body string) (d disposition, queued int64) {
	d = s.persist(moved, "put a task back", func(ctx context.Context) (err error) {
		queued, err = s.processing.moveToEnd(ctx, body)
		return err
	})
	return d, queued
}

// persist tries until it succeeds, which has the disposition given, or the worker stops.
func (s *settler) persist(success disposition, operation string, do func(ctx context.Context) error) disposition {
	for failures := 1; ; failures++ {
		began := s.outage.Begin()
		err := do(context.Background())
		s.outage.Note(operation+" of "+s.processing.keys.queue, began, err)
		if err == nil {
			return success
		}
		if !s.lifecycle.Sleep(outagePauses.Pause(failures)) {
			return kept
		}
	}
}
