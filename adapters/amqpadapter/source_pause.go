package amqpadapter

import (
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
)

const (
	// pauseTimeout is how long Pause waits for the workers, each of which asks every pauseInterval.
	pauseTimeout = 3 * pauseInterval
	pauseTick    = 50 * time.Millisecond
)

// Pause has workers of this package stop taking tasks of a queue, and those that start later take none. It returns when
// nobody takes tasks any more; after three seconds it does so anyway: Machinery's own workers go on, and so do those
// whose user may not declare the queue that says so.
func (s *source) Pause(ctx context.Context, queue string) error {
	paused, err := s.isPaused(ctx, queue)
	if err == nil && !paused {
		err = s.publisher.publish(ctx, message{
			routingKey: queue + pauseSuffix, // of the default exchange, which knows every queue by its name
			needs:      []declaration{s.topology.pauseQueue(queue)},
			Publishing: amqp.Publishing{Headers: amqp.Table{}, DeliveryMode: amqp.Persistent, Type: "pause", Timestamp: time.Now()},
		})
		s.missing.remove(queue + pauseSuffix)
	}
	if err == nil {
		err = s.awaitPause(ctx, queue)
	}
	if err != nil {
		return fmt.Errorf("pause queue %q: %w", queue, err)
	}
	return nil
}

// awaitPause waits until nobody consumes the queue.
func (s *source) awaitPause(ctx context.Context, queue string) error {
	for began := time.Now(); time.Since(began) < pauseTimeout; {
		found, err := s.declared(ctx, queue)
		if err != nil || found.Consumers == 0 {
			return err
		}
		if !backoff.Sleep(ctx, pauseTick) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// Resume ends Pause. Workers take tasks again within about a second.
func (s *source) Resume(ctx context.Context, queue string) error {
	paused, err := s.isPaused(ctx, queue)
	if err == nil && paused {
		err = s.purge(ctx, queue+pauseSuffix)
	}
	if err != nil {
		return fmt.Errorf("resume queue %q: %w", queue, err)
	}
	return nil
}

func (s *source) isPaused(ctx context.Context, queue string) (bool, error) {
	if err := s.check(ctx, queue); err != nil {
		return false, err
	}
	s.missing.remove(queue + pauseSuffix)
	found, err := s.declared(ctx, queue+pauseSuffix)
	return found.Messages > 0, err
}

// purge removes all messages of a queue.
func (s *source) purge(ctx context.Context, queue string) error {
	browser, err := s.publisher.browse(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = browser.close(ctx) }()
	return browser.call(ctx, func() error {
		_, err := browser.QueuePurge(queue, false)
		return err
	})
}
