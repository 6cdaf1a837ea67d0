package redisadapter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// defaultSourceName is the Name of a source without inspect.WithName.
const defaultSourceName = "redis"

// source implements inspect.Source.
type source struct {
	queueReader
	stateReader
	settings inspect.SourceSettings
	letters  *DeadLetters // nil for those of each queue
	listed   listedTasks
	commands commandCount
	// invalid is what is wrong with the options.
	invalid error
}

// NewSource returns what is in the queues of the brokers of NewBroker, and in the backends of NewBackend, that have the
// same configuration and Redis. The client stays the caller's.
//
// It knows the default queue, those of inspect.WithQueues, and those that a worker of this package has consumed: their
// names are in the set {d}:queues, from where one that is not used any more can be removed. Its other options are
// inspect.WithName (default "redis"), WithResults where another backend has the states, WithVerify, and WithDeadLetters,
// which needs a *DeadLetters, and WithMaxMessage, where the brokers have them.
//
// No request takes Redis long, however much waits, and no list brings more of a message than its first
// inspect.MaxBody bytes:
//   - Tasks that wait are those of all priorities, the highest first. PutBack are also those that workers died of, which
//     come again one at a time, without an ETA. Delayed are also those that are due and on their way to their queues.
//   - The delayed tasks of all queues are in one sorted set. A page has those of its queue among the next five thousand,
//     and a queue's Delayed is inspect.Unknown where there are more than five hundred and several queues. A message that
//     is no task counts as one of the default queue.
//   - Task, Delete and RunNow find one of the ten thousand tasks that the source has listed last at once, and others by
//     looking in all places, last in the lists of what waits: that takes seconds where a million wait. They know a task by
//     the UUID in the first inspect.MaxBody bytes of its message.
//   - Delete leaves a mark in the place of a task far from both ends of a long queue: it counts as waiting until a worker
//     comes to it, and takes it for nothing.
//   - Sent and Oldest are known while the backend has the state of the task.
//   - With inspect.WithDeadLetters a queue's Dead is inspect.Unknown where there are several queues.
//   - Done counts the messages that workers of this package have acknowledged, those that went to the dead letters too. Each
//     tells with its heartbeat, every 7.5 s by default (see WithHeartbeatTimeout), and when it leaves: so Done is that old,
//     and grows in steps. What a worker has done since its last heartbeat is never counted if it dies, or leaves while
//     Redis does not answer. A heartbeat that is repeated because its reply was lost counts once.
//   - A worker tells what it runs since when with its heartbeat; before the first one Since is zero. Of workers with
//     earlier versions of this package only the ID, the queues and what they run are known, and of Machinery's own
//     nothing.
//   - A queue that WithShards splits is one queue. Its lists are those that a worker has taken tasks from, and those that
//     the source is told: inspect.WithQueues(ShardNames("orders", 4)...).
//   - Pause returns when no worker takes tasks any more, after a tenth of a second. Machinery's own workers, and those
//     with earlier versions of this package, go on.
func NewSource(cnf *config.Config, client redis.UniversalClient, opts ...inspect.SourceOption) inspect.Source {
	s := &source{settings: inspect.NewSourceSettings(opts)}
	client = s.commands.of(client)
	s.queueReader = queueReader{client: client, defaultQueue: cnf.DefaultQueue, maxMessage: delivery.DefaultMaxMessage}
	s.stateReader = stateReader{backend: client}
	s.applySettings()
	s.delayed = newDelayedTasks(cnf, client, s.lettersOf(cnf.DefaultQueue), s.maxMessage)
	return s
}

// applySettings takes over what options have set, or notes what is wrong with them.
func (s *source) applySettings() {
	s.maxMessage = cmp.Or(s.settings.MaxMessage, s.maxMessage)
	if s.settings.Err != nil {
		s.invalid = fmt.Errorf("%w: %w", ErrConfig, s.settings.Err)
	}
	if s.settings.Management != "" || s.settings.Browse {
		s.invalid = errors.Join(s.invalid, fmt.Errorf("%w: inspect.WithManagement and amqpadapter.BrowseQueues are for RabbitMQ", ErrConfig))
	}
	if s.settings.DeadLetters == nil {
		return
	}
	letters, ok := s.settings.DeadLetters.(*DeadLetters)
	switch {
	case !ok || letters == nil:
		s.invalid = errors.Join(s.invalid, fmt.Errorf("%w: inspect.WithDeadLetters(%T): it needs those of redisadapter.NewDeadLetters",
			ErrConfig, s.settings.DeadLetters))
	default:
		s.letters, s.invalid = letters, errors.Join(s.invalid, letters.invalid)
	}
}

// Name returns that of inspect.WithName, or "redis".
func (s *source) Name() string { return cmp.Or(s.settings.Name, defaultSourceName) }

// Commands returns how many commands the source has sent to Redis.
func (s *source) Commands() int64 { return s.commands.n.Load() }

// check returns inspect.ErrNotFound for a queue that is not known. The name may come from anybody: the key may be
// anything.
func (s *source) check(ctx context.Context, queue string) error {
	if s.invalid != nil {
		return s.invalid
	}
	if queue == "" || queueOfShard(queue) != queue {
		return fmt.Errorf("queue %s: %w", queue, inspect.ErrNotFound)
	}
	if err := ctx.Err(); err != nil || queue == s.defaultQueue || slices.Contains(s.settings.Queues, queue) {
		return err
	}
	noted, err := s.client.SIsMember(ctx, s.delayed.queuesKey(), queue).Result()
	if err != nil && !isWrongType(err) {
		return fmt.Errorf("queue %s: %w", queue, err)
	}
	if !noted {
		return fmt.Errorf("queue %s: %w", queue, inspect.ErrNotFound)
	}
	return nil
}

// DeadLetters returns those of inspect.WithDeadLetters or else of the queue.
func (s *source) DeadLetters(queue string) (deadletter.Store, error) {
	if err := s.check(context.Background(), queue); err != nil {
		return nil, err
	}
	return s.lettersOf(queue), nil
}

func (s *source) lettersOf(queue string) *DeadLetters {
	if s.letters != nil {
		return s.letters
	}
	letters := NewDeadLetters(s.client, DeadLettersKey(queue))
	letters.maxMessage, letters.verify = s.maxMessage, s.settings.Verify
	return letters
}

// Pause keeps workers of this package from taking tasks of a queue, and returns when they have noticed.
func (s *source) Pause(ctx context.Context, queue string) error {
	shards, err := s.shardsOf(ctx, queue)
	if err != nil {
		return err
	}
	for _, shard := range shards {
		if err := pause(ctx, s.client, keysOf(shard)); err != nil {
			return fmt.Errorf("pause queue %s: %w", queue, err)
		}
	}
	if !backoff.Sleep(ctx, pauseNotice) {
		return fmt.Errorf("pause queue %s: %w", queue, ctx.Err())
	}
	return nil
}

// Resume has workers take tasks of a queue again.
func (s *source) Resume(ctx context.Context, queue string) error {
	shards, err := s.shardsOf(ctx, queue)
	if err != nil {
		return err
	}
	for _, shard := range shards {
		err := resumeScript.Run(ctx, s.client, []string{keysOf(shard).paused}, s.delayed.news.channel).Err()
		if err != nil {
			return fmt.Errorf("resume queue %s: %w", queue, err)
		}
	}
	return nil
}
