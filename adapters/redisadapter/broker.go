package redisadapter

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/common"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

// retryPause is how long a worker leaves Redis alone after an error.
const retryPause = time.Second

// BrokerOption changes how a broker works. There are none yet.
type BrokerOption func(*broker)

// broker implements Machinery's Broker. Names of tasks, the configuration and the default routing key are those of
// Machinery's own base.
type broker struct {
	common.Broker
	client  redis.UniversalClient
	delayed delayedTasks

	// stopping ends when StopConsuming is called for the first time.
	stopping context.Context
	stop     context.CancelFunc

	// entering guards against a consumer that comes while StopConsuming already waits for the others.
	entering  sync.Mutex
	consumers sync.WaitGroup
}

// NewBroker returns a broker that keeps its queues in Redis, where Machinery's own Redis brokers keep them.
//
// Of cnf it uses DefaultQueue and, where cnf.Redis is set,
//   - NormalTasksPollPeriod: milliseconds for which an idle worker waits before it asks its PreConsumeHandler again
//     (default 1000; while the handler agrees, at least 1000). Tasks that come meanwhile are taken at once.
//   - DelayedTasksPollPeriod: milliseconds between two looks at the delayed tasks (default 500).
//   - DelayedTasksKey: the sorted set of delayed tasks (default delayed_tasks).
//
// It uses nothing else of cnf.Redis, and not cnf.Broker: where Redis is and how to reach it is in the client.
//
// All workers of a server share its broker. Quit of one stops them all, for good, and waits for what they run. A
// worker with a concurrency under 1 runs two tasks for each CPU.
func NewBroker(cnf *config.Config, client redis.UniversalClient, opts ...BrokerOption) brokersiface.Broker {
	b := &broker{
		Broker: common.NewBroker(cnf),
		client: client,
		delayed: delayedTasks{
			client:       client,
			key:          delayedTasksKey(cnf),
			defaultQueue: cnf.DefaultQueue,
		},
	}
	b.stopping, b.stop = context.WithCancel(context.Background())
	for _, option := range opts {
		option(b)
	}
	return b
}

// Publish puts the task at the end of the queue that its RoutingKey names, or among the delayed tasks while its ETA
// lies ahead. An empty RoutingKey is filled with the default queue. The error wraps that of json.Marshal or of the
// client.
func (b *broker) Publish(ctx context.Context, signature *tasks.Signature) error {
	b.AdjustRoutingKey(signature)
	message, err := json.Marshal(signature)
	if err != nil {
		return fmt.Errorf("encode task %s: %w", signature.Name, err)
	}
	if err := b.push(ctx, signature, message); err != nil {
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
func (b *broker) StartConsuming(_ string, concurrency int, processor brokersiface.TaskProcessor) (bool, error) {
	if !b.enter() {
		return false, nil
	}
	defer b.consumers.Done()

	if err := b.client.Ping(b.stopping).Err(); err != nil {
		if !b.rest(retryPause) {
			return false, nil
		}
		return true, fmt.Errorf("consume from redis: %w", err)
	}
	newConsumer(b, concurrency, processor).run()
	return false, nil
}

// StopConsuming stops every consumer of this broker, now and in future, and returns when the last task has ended.
func (b *broker) StopConsuming() {
	b.entering.Lock()
	b.stop()
	b.entering.Unlock()
	b.consumers.Wait()
}

// enter counts a consumer in, unless the broker was stopped.
func (b *broker) enter() bool {
	b.entering.Lock()
	defer b.entering.Unlock()
	if b.stopping.Err() != nil {
		return false
	}
	b.consumers.Add(1)
	return true
}

// rest waits, and tells whether the broker is still wanted afterwards.
func (b *broker) rest(pause time.Duration) bool {
	select {
	case <-b.stopping.Done():
		return false
	case <-time.After(pause):
		return true
	}
}
