package amqpadapter

import (
	"context"
	"errors"
	"fmt"
	"io"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/common"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Broker is what the brokers of NewBroker can do:
//
//	broker := amqpadapter.NewBroker(cnf).(amqpadapter.Broker)
//	defer broker.Close()
//
// Quit stops one of its workers.
type Broker interface {
	brokersiface.Broker
	// Close stops consuming as StopConsuming does, and closes the broker and its connections for good: Publish and
	// StartConsuming return ErrClosed. It may be called more than once.
	io.Closer
	// PublishMany sends tasks as Publish does, each before the one before it is confirmed, which is many times faster. It
	// returns the error of each task, nil for one that RabbitMQ keeps. A task that has to be sent again, or is of more
	// than 1 MiB, may come behind the others. WithPublishTimeout bounds the time for each 4,096 tasks; when it is up,
	// those behind them are not sent. SendGroup and SendChord of the middleware send the members of a group so.
	PublishMany(ctx context.Context, signatures []*tasks.Signature) []error
	// DeadLetters returns those of WithDeadLetters or else of the default queue. What the middleware refuses goes
	// there, or to those of the queue that it came from, as the bytes that it came in.
	middleware.DeadLetterBroker
	// Redelivers returns true: WithMaxAttempts and WithBackoff hold with the middleware installed too.
	middleware.Redeliverer
}

// broker implements Broker. Names of tasks and the configuration are those of Machinery's own base.
type broker struct {
	common.Broker
	settings
	topology   topology
	publisher  *publisher
	consumers  *consumeConn
	workers    *lifecycle.Workers
	outage     *delivery.Outage
	runs       *runs
	ownLetters *DeadLetters
}

var _ Broker = (*broker)(nil)

// NewBroker returns a broker that keeps its queues in RabbitMQ, where Machinery's own AMQP broker keeps them.
//
// Of cnf it needs Broker, DefaultQueue and, of AMQP, Exchange and ExchangeType; it uses all else of AMQP, and
// MultipleBrokerSeparator and TLSConfig where they are set. What is missing is an ErrConfig of Publish and
// StartConsuming.
//
// It connects when it is first used, once to publish and once to consume. All workers of a server share its broker, and
// worker.Quit stops them all, for good, and waits for what they run: see Quit. It closes both connections, and a
// Publish after it opens one again. Close closes them in any case, for good.
func NewBroker(cnf *config.Config, opts ...BrokerOption) brokersiface.Broker {
	b := &broker{Broker: common.NewBroker(cnf), settings: newSettings(opts), workers: lifecycle.NewWorkers(), runs: newRuns()}
	endpoint := endpointOf(cnf)
	b.topology = topology{cnf: cnf, rejectToDeadLetters: b.rejectToDeadLetters, deadQueue: b.deadQueue,
		queueType: b.queueType, consumerTimeout: b.consumerTimeout, routes: newRoutes(), notes: &notes{logger: b.logger}}
	b.publisher = newPublisher(endpoint, b.publishTimeout)
	b.consumers = newConsumeConn(endpoint)
	b.outage = delivery.NewOutage(b.logger, "rabbitmq")
	b.ownLetters = &DeadLetters{queue: b.lettersOf(cnf.DefaultQueue), looking: newMutex(), maxMessage: b.maxMessage}
	b.ownLetters.belongTo(b.topology)
	if b.deadLetters != nil {
		b.deadLetters.belongTo(b.topology)
	}
	return b
}

// DeadLetters returns those of WithDeadLetters or else of the default queue. It makes the broker a
// middleware.DeadLetterBroker.
func (b *broker) DeadLetters() middleware.DeadLetters { return b.letters() }

func (b *broker) letters() *DeadLetters {
	if b.deadLetters != nil {
		return b.deadLetters
	}
	return b.ownLetters
}

// Redelivers returns true. It makes the broker a middleware.Redeliverer.
func (b *broker) Redelivers() bool { return true }

// AdjustRoutingKey fills an empty routing key: with the binding key where the exchange is a direct one, else with the
// name of the default queue.
func (b *broker) AdjustRoutingKey(s *tasks.Signature) {
	if s.RoutingKey == "" && b.topology.isDirect() {
		s.RoutingKey = b.GetConfig().AMQP.BindingKey
	}
	b.Broker.AdjustRoutingKey(s)
}

// Publish sends the task to the exchange under its RoutingKey, at once or when its ETA has come, and returns when
// RabbitMQ has confirmed that it keeps the task. An empty RoutingKey is filled by AdjustRoutingKey.
//
// A connection that was lost is opened again, and the task sent again, until ctx ends or the time of WithPublishTimeout
// is up; the task may be in the queue twice then. So is a task that RabbitMQ refuses, as it does where a queue is full.
// The errors are ErrUnroutable, ErrNotConfirmed, ErrTooLarge, ErrConfig, ErrClosed, envelope.ErrLimit (see
// WithMaxMessage), and those of encoding/json, ctx and the client library.
//
// The task's headers are AMQP headers too, exactly, but for times, which AMQP has in seconds. A value that AMQP has no
// type for is there as encoding/json has it, and an integer beyond int64 as its digits.
//
// What a worker of this process sends for a task that it is processing, such as a callback, is tried for as long as the
// worker runs, whatever becomes of ctx, and the task is not done before: see the package's documentation.
func (b *broker) Publish(ctx context.Context, signature *tasks.Signature) error {
	if d := delivery.SentFor(ctx, signature); d != nil {
		return b.publishFor(ctx, d, signature)
	}
	m, err := b.messageOf(signature)
	if err != nil {
		return err
	}
	if err := b.publisher.publish(ctx, m); err != nil {
		return fmt.Errorf("publish task %s: %w", signature.Name, err)
	}
	return nil
}

// messageOf returns what brings a task to its queue.
func (b *broker) messageOf(signature *tasks.Signature) (message, error) {
	if err := b.check(); err != nil {
		return message{}, err
	}
	b.AdjustRoutingKey(signature)
	m, err := b.topology.messageOf(signature)
	if err != nil {
		return message{}, fmt.Errorf("encode task %s: %w", signature.Name, err)
	}
	if err := delivery.CheckSize(len(m.Body), b.maxMessage); err != nil {
		return message{}, fmt.Errorf("publish task %s: %w", signature.Name, err)
	}
	return m, nil
}

// PublishMany keeps up to 256 confirmations outstanding.
func (b *broker) PublishMany(ctx context.Context, signatures []*tasks.Signature) []error {
	errs := make([]error, len(signatures))
	var messages []message
	var places []int // of the messages among the signatures
	for i, signature := range signatures {
		m, err := b.messageOf(signature)
		if err != nil {
			errs[i] = err
			continue
		}
		messages, places = append(messages, m), append(places, i)
	}
	for i, err := range b.publisher.publishMany(ctx, messages) {
		if err != nil {
			errs[places[i]] = fmt.Errorf("publish task %s: %w", signatures[places[i]].Name, err)
		}
	}
	return errs
}

// check returns ErrConfig where the broker cannot work.
func (b *broker) check() error {
	if b.err != nil {
		return b.err
	}
	return b.topology.check()
}

// queueOf returns the queue of a worker that names its own queue so.
func (b *broker) queueOf(customQueue string) string {
	if customQueue != "" {
		return customQueue
	}
	return b.GetConfig().DefaultQueue
}

// lettersOf returns where the dead letters of a work queue are kept.
func (b *broker) lettersOf(queue string) deadLetterQueue {
	if b.deadLetters != nil {
		return b.deadLetters.queue // its RabbitMQ may be another
	}
	return deadLetterQueue{publisher: b.publisher, name: queue + deadSuffix, args: b.topology.withType(nil)}
}

// deadQueue names the dead letters of a work queue.
func (b *broker) deadQueue(queue string) string { return b.lettersOf(queue).name }

// StartConsuming runs tasks until StopConsuming is called, then waits for those that run and returns false. Where it
// cannot start, because RabbitMQ does not answer or refuses a declaration, it pauses and returns true and the error, so
// that Machinery reports it and calls again; only ErrConfig and ErrClosed end the worker. A connection that is lost
// later is opened again from here.
//
// With a concurrency under 1 as many tasks run as RabbitMQ hands out: up to PrefetchCount of the queue and as many of the
// one beside it, and any number where that is 0.
func (b *broker) StartConsuming(consumerTag string, concurrency int, processor brokersiface.TaskProcessor) (bool, error) {
	if b.publisher.closed.Err() != nil {
		return false, ErrClosed
	}
	if err := b.check(); err != nil {
		return false, err
	}
	worker := b.workers.Start(lifecycle.Name{Tag: consumerTag, Queue: b.queueOf(processor.CustomQueue())})
	if worker == nil {
		return false, nil
	}
	defer worker.End()

	err := newConsumer(b, worker, consumerTag, concurrency, processor).run()
	if err == nil || !worker.Sleep(reconnect.Pause(worker.Failed())) {
		return false, nil
	}
	return true, fmt.Errorf("consume from rabbitmq: %w", err)
}

// StopConsuming stops every consumer of this broker, now and in future, and returns when the last task has ended. It
// may be called more than once, and before anything was started. See WithStopTimeout for a RabbitMQ that does not answer.
func (b *broker) StopConsuming() {
	b.workers.StopAll()
	b.publisher.closeIdle()
}

// Close stops consuming as StopConsuming does, and closes the broker for good: Publish and StartConsuming return
// ErrClosed. It may be called more than once.
func (b *broker) Close() error {
	b.StopConsuming()
	return b.publisher.close()
}

// GetDelayedTasks returns an error: RabbitMQ does not let one look into queues without taking tasks out.
func (b *broker) GetDelayedTasks() ([]*tasks.Signature, error) {
	return nil, errors.New("delayed tasks cannot be listed on rabbitmq")
}
