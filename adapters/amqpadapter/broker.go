package amqpadapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/common"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// broker implements Machinery's Broker. Names of tasks and the configuration are those of Machinery's own base.
type broker struct {
	common.Broker
	settings
	topology  topology
	publisher *publisher
	inbound   *inbound

	// stopping ends when StopConsuming is called for the first time.
	stopping context.Context
	stop     context.CancelFunc

	// entering guards against a consumer that comes while StopConsuming already waits for the others.
	entering  sync.Mutex
	consumers sync.WaitGroup
	// failures counts, for the pause between them, consumers in a row that could not start.
	failures int
}

// NewBroker returns a broker that keeps its queues in RabbitMQ, where Machinery's own AMQP broker keeps them.
//
// Of cnf it needs Broker, DefaultQueue and, of AMQP, Exchange and ExchangeType; it uses all else of AMQP, and
// MultipleBrokerSeparator and TLSConfig where they are set. What is missing is an ErrConfig of Publish and StartConsuming.
//
// It connects when it is first used, once to publish and once to consume. All workers of a server share its broker. Quit of
// one stops them all, for good, and waits for what they run; it closes both connections, and a Publish after it opens one
// again. Close closes them in any case, for good:
//
//	broker := amqpadapter.NewBroker(cnf)
//	defer broker.(io.Closer).Close()
func NewBroker(cnf *config.Config, opts ...BrokerOption) brokersiface.Broker {
	b := &broker{Broker: common.NewBroker(cnf), settings: newSettings(opts)}
	endpoint := endpointOf(cnf)
	b.topology = topology{cnf: cnf, deadLetter: b.rejectToDead, deadQueue: b.deadQueue}
	b.publisher = newPublisher(endpoint, b.publishTimeout)
	b.inbound = newInbound(endpoint)
	b.stopping, b.stop = context.WithCancel(context.Background())
	if b.deadLetters != nil {
		b.deadLetters.belongTo(cnf)
	}
	return b
}

// DeadLetters returns those of WithDeadLetters or else of the default queue. It makes the broker a
// middleware.DeadLetterKeeper: what the middleware refuses goes there too.
func (b *broker) DeadLetters() middleware.DeadLetters {
	if b.deadLetters != nil {
		return b.deadLetters
	}
	own := deadLetterQueue{publisher: b.publisher, queue: b.deadQueue(b.GetConfig().DefaultQueue)}
	return &DeadLetters{deadLetterQueue: own, topology: b.topology}
}

// AdjustRoutingKey fills an empty routing key: with the binding key where the exchange is a direct one, else with the
// name of the default queue.
func (b *broker) AdjustRoutingKey(s *tasks.Signature) {
	if s.RoutingKey == "" && b.topology.isDirect() {
		s.RoutingKey = b.GetConfig().AMQP.BindingKey
	}
	b.Broker.AdjustRoutingKey(s)
}

// Publish sends the task to the exchange under its RoutingKey, at once or when its ETA has come, and returns when RabbitMQ
// has confirmed that it keeps the task. An empty RoutingKey is filled by AdjustRoutingKey.
//
// A connection that was lost is opened again, and the task sent again, until ctx ends or the time of WithPublishTimeout
// is up; the task may be in the queue twice then. The errors are ErrUnroutable, ErrNotConfirmed, ErrTooLarge, ErrConfig,
// ErrClosed, and those of encoding/json, ctx and the client library.
func (b *broker) Publish(ctx context.Context, signature *tasks.Signature) error {
	if err := b.topology.check(); err != nil {
		return err
	}
	b.AdjustRoutingKey(signature)
	m, err := b.messageOf(signature)
	if err != nil {
		return fmt.Errorf("encode task %s: %w", signature.Name, err)
	}
	if err := b.publisher.publish(ctx, m); err != nil {
		return fmt.Errorf("publish task %s: %w", signature.Name, err)
	}
	return nil
}

func (b *broker) messageOf(s *tasks.Signature) (message, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return message{}, err
	}
	headers, err := headersOf(s)
	if err != nil {
		return message{}, err
	}
	m := message{
		exchange:   b.topology.cnf.AMQP.Exchange,
		routingKey: s.RoutingKey,
		needs:      []declaration{b.topology.forPublishing(s.RoutingKey)},
		Publishing: amqp.Publishing{
			Headers:       headers,
			ContentType:   "application/json",
			Body:          body,
			Priority:      s.Priority,
			DeliveryMode:  amqp.Persistent,
			CorrelationId: cut(s.UUID, longestShortString),
			Type:          cut(s.Name, longestShortString),
			Timestamp:     time.Now(),
		},
	}
	if s.ETA == nil {
		return m, nil
	}
	if by := delayUntil(*s.ETA); by > 0 {
		b.delay(&m, by)
	}
	return m, nil
}

// delay makes a task come to the exchange later, by Machinery's means where the configuration asks for these.
func (b *broker) delay(m *message, by uint32) {
	if queue := b.topology.cnf.AMQP.DelayedQueue; queue != "" {
		m.needs = append(m.needs, b.topology.delayedQueue(m.routingKey))
		m.routingKey = queue
		m.Expiration = strconv.FormatUint(uint64(by), 10)
		return
	}
	m.needs = append(m.needs, dueAtExchange(m.exchange))
	m.Headers[delayExchangeHeader] = m.exchange
	m.delay(by)
}

// deadQueue names the dead letters of a work queue.
func (b *broker) deadQueue(queue string) string {
	if b.deadLetters != nil {
		return b.deadLetters.queue
	}
	return queue + deadSuffix
}

// StartConsuming runs tasks until StopConsuming is called, then waits for those that run and returns false. Where it cannot
// start, because RabbitMQ does not answer or refuses a declaration, it pauses and returns true and the error, so that
// Machinery reports it and calls again. A connection that is lost later is opened again from here.
//
// A concurrency under 1 bounds nothing: RabbitMQ hands out as many tasks as PrefetchCount says, and any number where that
// is 0.
func (b *broker) StartConsuming(consumerTag string, concurrency int, processor brokersiface.TaskProcessor) (bool, error) {
	if b.publisher.closed.Load() {
		return false, ErrClosed
	}
	if !b.enter() {
		return false, nil
	}
	defer b.consumers.Done()

	err := b.topology.check()
	if err == nil {
		err = newConsumer(b, consumerTag, concurrency, processor).run()
	}
	if err == nil || !pause(b.stopping, b.restTime()) {
		return false, nil
	}
	return true, fmt.Errorf("consume from rabbitmq: %w", err)
}

// StopConsuming stops every consumer of this broker, now and in future, and returns when the last task has ended. It may
// be called more than once, and before anything was started.
func (b *broker) StopConsuming() {
	b.entering.Lock()
	b.stop()
	b.entering.Unlock()
	b.consumers.Wait()
	b.publisher.rest()
}

// Close stops consuming as StopConsuming does, and closes the broker for good: Publish and StartConsuming return
// ErrClosed. It may be called more than once.
func (b *broker) Close() error {
	b.StopConsuming()
	return b.publisher.close()
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

// restTime returns how long to leave RabbitMQ alone after a consumer could not start.
func (b *broker) restTime() time.Duration {
	b.entering.Lock()
	defer b.entering.Unlock()
	b.failures++
	return spread(doubled(firstReconnect, lastReconnect, b.failures-1))
}

// started ends the row of failures.
func (b *broker) started() {
	b.entering.Lock()
	defer b.entering.Unlock()
	b.failures = 0
}

// GetDelayedTasks returns an error: RabbitMQ does not let one look into queues without taking tasks out.
func (b *broker) GetDelayedTasks() ([]*tasks.Signature, error) {
	return nil, errors.New("delayed tasks cannot be listed on rabbitmq")
}
