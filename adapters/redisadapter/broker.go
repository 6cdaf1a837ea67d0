package redisadapter

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/common"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// broker implements Machinery's Broker. Names of tasks, the configuration and the default routing key are those of
// Machinery's own base.
type broker struct {
	common.Broker
	client  redis.UniversalClient
	delayed delayedTasks
	trouble outage
	shifts  shifts

	heartbeatTimeout time.Duration
	deliveryLimit    int
	publishTimeout   time.Duration
	deadLetters      func(queue string) *DeadLetters
}

// NewBroker returns a broker that keeps its queues in Redis, where Machinery's own Redis brokers keep them, and loses
// no task: the documentation of the package says what it promises. It needs Redis 6.2.
//
// Of cnf it uses DefaultQueue and, where cnf.Redis is set,
//   - NormalTasksPollPeriod: milliseconds for which a worker waits whose PreConsumeHandler refuses (default 1000).
//     Tasks that come while it agrees are taken at once.
//   - DelayedTasksPollPeriod: most milliseconds between two looks at the delayed tasks (default 500). Where the next
//     ETA comes sooner the broker looks then.
//   - DelayedTasksKey: the sorted set of delayed tasks (default delayed_tasks).
//
// It uses nothing else of cnf.Redis, and not cnf.Broker: where Redis is and how to reach it is in the client.
//
// All workers of a server share its broker. Their Quit stops them all, for good, and waits for what they run; Quit of
// this package stops one. A worker with a concurrency under 1 runs two tasks for each CPU.
func NewBroker(cnf *config.Config, client redis.UniversalClient, opts ...BrokerOption) brokersiface.Broker {
	b := &broker{
		Broker:           common.NewBroker(cnf),
		client:           client,
		shifts:           newShifts(),
		heartbeatTimeout: defaultHeartbeatTimeout,
		deliveryLimit:    defaultDeliveryLimit,
		publishTimeout:   defaultRetryTimeout,
		deadLetters: func(queue string) *DeadLetters {
			return NewDeadLetters(client, DeadLettersKey(queue))
		},
	}
	for _, option := range opts {
		option(b)
	}
	b.delayed = newDelayedTasks(cnf, client, b.deadLetters(cnf.DefaultQueue))
	return b
}

// DeadLetters returns those of WithDeadLetters or else of the default queue. It makes the broker a
// middleware.DeadLetterKeeper: what the middleware refuses goes there too.
func (b *broker) DeadLetters() middleware.DeadLetters {
	return b.deadLetters(b.GetConfig().DefaultQueue)
}

// Publish puts the task at the end of the queue that its RoutingKey names, or among the delayed tasks while its ETA
// lies ahead. An empty RoutingKey is filled with the default queue. While Redis cannot be reached it tries again, as
// long as WithPublishTimeout says and ctx lets it. The error wraps that of json.Marshal or of the client; the task may
// have been sent all the same when it is one of the network.
func (b *broker) Publish(ctx context.Context, signature *tasks.Signature) error {
	b.AdjustRoutingKey(signature)
	message, err := json.Marshal(signature)
	if err != nil {
		return fmt.Errorf("encode task %s: %w", signature.Name, err)
	}
	err = retry(ctx, b.publishTimeout, func() error { return b.push(ctx, signature, message) })
	if err != nil {
		return fmt.Errorf("publish task %s: %w", signature.Name, err)
	}
	return nil
}

func (b *broker) push(ctx context.Context, signature *tasks.Signature, message []byte) error {
	if signature.ETA != nil && signature.ETA.After(time.Now()) {
		return b.delayed.add(ctx, *signature.ETA, message)
	}
	return b.client.RPush(ctx, signature.RoutingKey, message).Err()
}

// StartConsuming runs tasks until StopConsuming is called, then waits for those that run and returns false. Where
// Redis does not answer at the start it pauses and returns true and the error, so that Machinery reports it and calls
// again. Later errors are waited out here, because returning would have to wait for every running task first.
func (b *broker) StartConsuming(tag string, concurrency int, processor brokersiface.TaskProcessor) (bool, error) {
	worker := workerName{tag: tag, queue: b.queueOf(processor.CustomQueue())}
	s := b.shifts.start(worker)
	if s == nil {
		return false, nil
	}
	defer s.end()

	c := newConsumer(b, s, worker.queue, concurrency, processor)
	if err := c.register(); err != nil {
		if !s.rest(lastTroublePause) {
			return false, nil
		}
		return true, fmt.Errorf("consume from redis: %w", err)
	}
	c.run()
	return false, nil
}

// StopConsuming stops every worker of this broker, now and in future, and returns when the last task has ended. What
// was taken and not begun goes back to the head of its queue. It may be called at any time, more than once.
func (b *broker) StopConsuming() { b.shifts.stopAll() }

func (b *broker) queueOf(custom string) string {
	if custom == "" {
		return b.GetConfig().DefaultQueue
	}
	return custom
}
