package redisadapter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/common"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/taskjson"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Broker is what the brokers of NewBroker can do:
//
//	broker := redisadapter.NewBroker(cnf, client).(redisadapter.Broker)
//	defer broker.Close()
type Broker interface {
	brokersiface.Broker
	// Close stops consuming as StopConsuming does, and closes the broker for good: Publish and StartConsuming return
	// ErrClosed. It returns nil and may be called more than once. The client stays open: it is the caller's.
	io.Closer
	// PublishMany sends tasks as Publish does, in batches, each of which is one round trip, or one for each server of a
	// Cluster, and returns the error of each task, nil for one that was sent. Tasks of one priority that come to the same
	// list, the queue or one of its shards, keep their order. What was not begun when Redis could not be reached for the
	// time of WithPublishTimeout, or ctx has ended, is not sent. Where the reply of Redis is lost, the batch, of up to 256
	// tasks, is sent again: those may run twice, though there is no error. SendTasks, SendGroup and SendChord of the
	// middleware send so.
	PublishMany(ctx context.Context, signatures []*tasks.Signature) []error
	// DeadLetters returns those of WithDeadLetters or else of the default queue. What the middleware refuses goes
	// there, or to those of the queue that it came from, as the bytes that it came in.
	middleware.DeadLetterBroker
	// Redelivers returns true: WithMaxAttempts and WithBackoff hold with the middleware installed too.
	middleware.Redeliverer
}

// broker implements Broker. Names of tasks, the configuration and the default routing key are those of Machinery's own
// base.
type broker struct {
	common.Broker
	client    redis.UniversalClient
	identity  any // of the client
	pipelines *pipelines
	settings  brokerSettings
	delayed   delayedTasks
	outage    *delivery.Outage
	workers   *lifecycle.Workers
	closed    atomic.Bool
	checked   sync.Once // the server, when the first worker has registered
}

var (
	_ Broker                   = (*broker)(nil)
	_ middleware.ManyPublisher = (*broker)(nil)
)

// NewBroker returns a broker that keeps its queues in Redis, where Machinery's own Redis brokers keep them, and loses
// no task: the documentation of the package says what it promises. It is a Broker and needs Redis 6.2.
//
// Of cnf it uses DefaultQueue and, where cnf.Redis is set,
//   - NormalTasksPollPeriod: milliseconds for which a worker waits whose PreConsumeHandler refuses (default 1000).
//     Tasks that come while it agrees are taken at once.
//   - DelayedTasksPollPeriod: at most so many milliseconds between two looks of a worker at the delayed tasks (default
//     1000, Machinery's is 500). Where the next ETA comes sooner it looks then, and so it does when a sender with this
//     package delays a task until before that: the period is for what Machinery's own brokers send. With
//     WithOwnSendersOnly it is 20 s while the worker hears of delayed tasks.
//   - DelayedTasksKey: the sorted set of delayed tasks (default delayed_tasks).
//
// It uses nothing else of cnf.Redis, and not cnf.Broker: where Redis is and how to reach it is in the client.
//
// All workers of a server share its broker. Their Quit stops them all, for good, and waits for what they run; Quit of
// this package stops one. A worker with a concurrency under 1 runs two tasks for each CPU.
func NewBroker(cnf *config.Config, client redis.UniversalClient, opts ...BrokerOption) brokersiface.Broker {
	settings := newBrokerSettings(opts)
	b := &broker{
		Broker:    common.NewBroker(cnf),
		client:    client,
		identity:  identityOf(client),
		pipelines: newPipelines(client),
		settings:  settings,
		outage:    delivery.NewOutage(settings.logger, "redis"),
		workers:   lifecycle.NewWorkers(),
	}
	b.settings.invalid = errors.Join(b.settings.invalid, b.settings.sharding.name(cnf.DefaultQueue))
	b.delayed = newDelayedTasks(cnf, client, b.deadLettersOf(cnf.DefaultQueue), settings.maxMessage)
	b.delayed.sharding = &b.settings.sharding
	return b
}

// DeadLetters returns those of WithDeadLetters or else of the default queue.
func (b *broker) DeadLetters() middleware.DeadLetters {
	return b.deadLettersOf(b.GetConfig().DefaultQueue)
}

// deadLettersOf returns those of a queue; its shards have the same.
func (b *broker) deadLettersOf(queue string) *DeadLetters {
	if b.settings.deadLetters != nil {
		return b.settings.deadLetters
	}
	letters := NewDeadLetters(b.client, DeadLettersKey(queueOfShard(queue)))
	letters.logger, letters.maxMessage = b.settings.logger, b.settings.maxMessage
	return letters
}

// Redelivers returns true.
func (b *broker) Redelivers() bool { return true }

// Publish puts the task at the end of the queue that its RoutingKey names, of one of its shards, or among the delayed
// tasks while its ETA lies ahead. An empty RoutingKey is filled with the default queue. While Redis cannot be reached it tries again, as
// long as WithPublishTimeout says and ctx lets it. The error is ErrConfig, ErrClosed, envelope.ErrLimit (see
// WithMaxMessage) or wraps that of json.Marshal, of ctx or of the client; the task may have been sent all the same when
// it is one of ctx or of the network.
//
// What is sent for a task that a worker of this package is processing (its callbacks, the next step of its chain, the
// callback of its chord, its retry) is sent until it succeeds or that worker stops, whatever becomes of ctx: then the
// task is kept and runs again. Where trying again cannot help, it goes to the dead letters.
func (b *broker) Publish(ctx context.Context, signature *tasks.Signature) error {
	if d := delivery.SentFor(ctx, signature); d != nil {
		return b.publishFor(ctx, d, signature)
	}
	pending := b.takeAnnounced(ctx, signature)
	if err := b.usable(); err != nil {
		return err
	}
	body, err := b.encode(signature)
	if err != nil {
		return err
	}
	err = retry(ctx, b.settings.publishTimeout, func() error { return b.push(ctx, signature, body, pending) })
	if err != nil {
		return fmt.Errorf("publish task %s: %w", signature.Name, err)
	}
	return nil
}

// encode fills in the routing key. A message that is too long comes with the error.
func (b *broker) encode(signature *tasks.Signature) ([]byte, error) {
	b.AdjustRoutingKey(signature)
	body, err := taskjson.MarshalTask(signature)
	if err != nil {
		return nil, fmt.Errorf("encode task %s: %w", signature.Name, err)
	}
	if err := delivery.CheckSize(len(body), b.settings.maxMessage); err != nil {
		return body, fmt.Errorf("publish task %s: %w", signature.Name, err)
	}
	return body, nil
}

// StartConsuming runs tasks until StopConsuming is called, then waits for those that run and returns false. Where Redis
// does not answer at the start it pauses and returns true and the error, so that Machinery reports it and calls again.
// Later errors are waited out here, because returning would have to wait for every running task first. With
// ErrConfig and ErrClosed it returns false.
func (b *broker) StartConsuming(tag string, concurrency int, processor brokersiface.TaskProcessor) (bool, error) {
	if err := b.usable(); err != nil {
		return false, err
	}
	l := b.workers.Start(lifecycle.Name{Tag: tag, Queue: b.queueOf(processor.CustomQueue())})
	if l == nil {
		return false, nil
	}
	defer l.End()

	w := newWorker(b, l, b.queuesOf(processor.CustomQueue()), concurrency, processor)
	if err := w.run(); err != nil {
		if !l.Sleep(outagePauses.Last) {
			return false, nil
		}
		return true, fmt.Errorf("consume from redis: %w", err)
	}
	return false, nil
}

// StopConsuming stops every worker of this broker, now and in future, and returns when the last task has ended. What
// was taken and not begun goes back to the head of its queue. Where Redis does not answer it returns all the same:
// WithStopTimeout after the last task has ended. It may be called at any time, more than once.
func (b *broker) StopConsuming() { b.workers.StopAll() }

// Close stops consuming, for good.
func (b *broker) Close() error {
	b.closed.Store(true)
	b.StopConsuming()
	return nil
}

// usable returns ErrConfig or ErrClosed for a broker that is not.
func (b *broker) usable() error {
	if b.closed.Load() {
		return ErrClosed
	}
	return b.settings.invalid
}

func (b *broker) queueOf(custom string) string {
	if custom == "" {
		return b.GetConfig().DefaultQueue
	}
	return custom
}
