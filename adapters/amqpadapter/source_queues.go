package amqpadapter

import (
	"context"
	"fmt"
	"maps"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter/internal/management"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// Queues returns the default queue, those of inspect.WithQueues and, with inspect.WithManagement, those that are bound to
// the exchange. One that does not exist yet is empty. It asks RabbitMQ for each queue and for three beside it, as far as
// they exist.
func (s *source) Queues(ctx context.Context) ([]inspect.Queue, error) {
	queues, err := s.queues(ctx)
	if err != nil {
		return nil, fmt.Errorf("queues of rabbitmq: %w", err)
	}
	return queues, nil
}

func (s *source) queues(ctx context.Context) ([]inspect.Queue, error) {
	if s.err != nil {
		return nil, s.err
	}
	known, err := s.managed(ctx)
	if err != nil {
		return nil, err
	}
	counts := &counter{source: s, known: known}
	defer counts.close(ctx)
	names, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	var queues []inspect.Queue
	for _, name := range names {
		queue, err := counts.queue(ctx, name)
		if err != nil {
			return nil, err
		}
		queues = append(queues, queue)
	}
	return queues, nil
}

// managed returns what the management API knows of queues; nil where there is none.
func (s *source) managed(ctx context.Context) (map[string]management.Queue, error) {
	if s.management == nil {
		return nil, nil
	}
	return s.management.Queues(ctx)
}

// names returns the names of the queues, sorted.
func (s *source) names(ctx context.Context) ([]string, error) {
	names := map[string]bool{s.topology.cnf.DefaultQueue: true}
	for _, name := range s.SourceSettings.Queues {
		names[name] = true
	}
	if s.management == nil {
		return slices.Sorted(maps.Keys(names)), nil
	}
	bound, err := s.management.BoundTo(ctx, s.topology.cnf.AMQP.Exchange)
	for _, name := range bound {
		if name != s.topology.cnf.AMQP.DelayedQueue && !isDelayQueue(name) {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), err
}

// A counter asks RabbitMQ how much is in queues, on one channel for as long as it lasts: a queue that is missing closes
// it.
type counter struct {
	source  *source
	known   map[string]management.Queue // nil where nothing is known
	browser *browser
}

func (c *counter) queue(ctx context.Context, name string) (inspect.Queue, error) {
	var found [4]amqp.Queue
	for i, suffix := range []string{"", redeliveredSuffix, deadSuffix, pauseSuffix} {
		var err error
		if found[i], err = c.count(ctx, name+suffix); err != nil {
			return inspect.Queue{}, err
		}
	}
	main, again, dead, pause := found[0], found[1], found[2], found[3]
	q := inspect.Queue{
		Name:    name,
		Waiting: main.Messages + again.Messages,
		Running: inspect.Unknown,
		PutBack: inspect.Unknown,
		Delayed: inspect.Unknown,
		Dead:    c.dead(dead),
		Workers: main.Consumers,
		Paused:  pause.Messages > 0,
	}
	if q.Paused { // those that wait for its end consume nothing
		q.Workers = inspect.Unknown
	}
	return c.add(q), nil
}

// dead returns how many letters a queue has of its own.
func (c *counter) dead(letters amqp.Queue) int {
	if c.source.SourceSettings.DeadLetters != nil {
		return inspect.Unknown // those of all queues are in one place
	}
	return letters.Messages
}

// add adds what the management API knows.
func (c *counter) add(q inspect.Queue) inspect.Queue {
	if c.known == nil {
		return q
	}
	main, exists := c.known[q.Name]
	if !exists {
		q.Running = 0
		return q
	}
	q.Running = main.Unacked
	if again := c.known[q.Name+redeliveredSuffix]; q.Running >= 0 && again.Unacked > 0 {
		q.Running += again.Unacked
	}
	if q.Waiting > 0 {
		q.Oldest = main.Oldest
	}
	return q
}

// count returns what a declaration tells of a queue; nothing where the queue is missing.
func (c *counter) count(ctx context.Context, queue string) (amqp.Queue, error) {
	if _, exists := c.known[queue]; c.known != nil && !exists || c.source.missing.has(queue) {
		return amqp.Queue{}, nil
	}
	found, err := c.declared(ctx, queue)
	if isMissing(err) {
		c.source.missing.add(queue)
		return amqp.Queue{}, nil
	}
	return found, err
}

func (c *counter) declared(ctx context.Context, queue string) (found amqp.Queue, err error) {
	if c.browser == nil {
		if c.browser, err = c.source.publisher.browse(ctx); err != nil {
			return amqp.Queue{}, err
		}
	}
	if found, err = c.browser.declared(ctx, queue); err != nil {
		c.close(ctx)
	}
	return found, err
}

func (c *counter) close(ctx context.Context) {
	if c.browser != nil {
		_ = c.browser.close(ctx)
		c.browser = nil
	}
}

// declared returns what RabbitMQ tells of one queue; nothing where it is missing.
func (s *source) declared(ctx context.Context, queue string) (amqp.Queue, error) {
	counts := &counter{source: s}
	defer counts.close(ctx)
	return counts.count(ctx, queue)
}

// check returns inspect.ErrNotFound for a queue that is not among those of Queues.
func (s *source) check(ctx context.Context, queue string) error {
	if s.err != nil {
		return s.err
	}
	if queue == s.topology.cnf.DefaultQueue || slices.Contains(s.SourceSettings.Queues, queue) {
		return context.Cause(ctx)
	}
	names, err := s.names(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(names, queue) {
		return fmt.Errorf("queue %.40q: %w", queue, inspect.ErrNotFound)
	}
	return nil
}
