package amqpadapter

import (
	"errors"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// redeliveredSuffix names the queue, beside each work queue, for tasks that came a second time.
	redeliveredSuffix = ".redelivered"
	// deadSuffix names the queue, beside each work queue, for what no worker can process.
	deadSuffix = ".dead"
)

// topology declares exchanges and queues as Machinery's own broker does.
type topology struct {
	cnf *config.Config
	// rejectToDeadLetters makes RabbitMQ put what is rejected or expires in the dead letters.
	rejectToDeadLetters bool
	// queueType is that of WithQueueType, or empty.
	queueType string
	// consumerTimeout is how long RabbitMQ waits for an acknowledgement, where it can be set for a queue.
	consumerTimeout time.Duration
	// notes is nil where nothing is logged.
	notes *notes
	// deadQueue names the dead letters of a queue.
	deadQueue func(queue string) string
	// routes is nil where little is published.
	routes *routes
}

func (t topology) check() error {
	switch {
	case t.cnf.AMQP == nil:
		return fmt.Errorf("%w: config.Config.AMQP is not set", ErrConfig)
	case t.cnf.AMQP.Exchange == "":
		return fmt.Errorf("%w: config.AMQPConfig.Exchange is empty", ErrConfig)
	case t.cnf.AMQP.ExchangeType == "":
		return fmt.Errorf("%w: config.AMQPConfig.ExchangeType is empty", ErrConfig)
	case t.cnf.DefaultQueue == "":
		return fmt.Errorf("%w: config.Config.DefaultQueue is empty", ErrConfig)
	}
	return nil
}

func (t topology) isDirect() bool {
	return t.cnf.AMQP != nil && t.cnf.AMQP.ExchangeType == amqp.ExchangeDirect
}

// queueFor returns the queue to which tasks with a routing key go, and the key it is bound with. Other than direct
// exchanges may send them anywhere: all that is known there is the default queue.
func (t topology) queueFor(routingKey string) (queue, bindingKey string) {
	if !t.isDirect() || routingKey == t.cnf.AMQP.BindingKey {
		return t.cnf.DefaultQueue, t.cnf.AMQP.BindingKey
	}
	return routingKey, routingKey
}

// bindingOf returns the key with which a worker binds its queue. Machinery binds all queues with the default one, so
// that workers of other queues get the default queue's tasks too.
func (t topology) bindingOf(queue string) string {
	if queue == t.cnf.DefaultQueue {
		return t.cnf.AMQP.BindingKey
	}
	return queue
}

// forPublishing declares the exchange, and the queue where tasks with the routing key go.
func (t topology) forPublishing(routingKey string) []declaration {
	if needs, known := t.routes.find(routingKey); known {
		return needs
	}
	queue, bindingKey := t.queueFor(routingKey)
	needs := append(t.forDeadLetters(queue), t.boundQueue(queue, bindingKey)...)
	return t.routes.keep(routingKey, needs)
}

// forDeadLetters declares the queue to which RabbitMQ itself moves messages of a queue, where it shall.
func (t topology) forDeadLetters(queue string) []declaration {
	if !t.rejectToDeadLetters {
		return nil
	}
	return []declaration{deadLettersIn(t.deadQueue(queue), t.withType(nil))}
}

// forConsuming declares a worker's queue, and the one beside it.
func (t topology) forConsuming(queue string) []declaration {
	bindingKey, beside := t.bindingOf(queue), queue+redeliveredSuffix
	needs := append(t.forDeadLetters(queue), t.boundQueue(queue, bindingKey)...)
	if t.isDirect() && bindingKey != t.cnf.AMQP.BindingKey {
		needs = append(needs, t.unboundFromDefault(queue))
	}
	return append(needs, t.workQueue(beside, queue), directToQueue(queue), directToQueue(beside))
}

// workQueue declares a queue with the arguments of a work queue. They are made only where they are needed: most tasks
// go to queues that were declared before.
func (t topology) workQueue(name, of string) declaration {
	return declaration{id: "queue " + name, declare: func(channel *amqp.Channel) error {
		return t.queue(name, t.queueArgs(of)).declare(channel)
	}}
}

// unboundFromDefault removes a binding that Machinery's worker may have left. It would make every default task run in
// the queue's workers too.
func (t topology) unboundFromDefault(queue string) declaration {
	return declaration{id: "unbound " + queue, declare: func(channel *amqp.Channel) error {
		cnf := t.cnf.AMQP
		err := channel.QueueUnbind(queue, cnf.BindingKey, cnf.Exchange, amqp.Table(cnf.QueueBindingArgs))
		if err != nil {
			return fmt.Errorf("unbind queue %q from the default binding key: %w", queue, err)
		}
		return nil
	}}
}

// boundQueue declares the exchange and a queue that is bound to it.
func (t topology) boundQueue(queue, bindingKey string) []declaration {
	return []declaration{t.workQueue(queue, queue), {
		id: "binding of " + queue + " " + bindingKey,
		declare: func(channel *amqp.Channel) error {
			cnf := t.cnf.AMQP
			if err := declareExchange(channel, cnf.Exchange, cnf.ExchangeType, nil); err != nil {
				return err
			}
			return bindQueue(channel, queue, bindingKey, cnf.Exchange, amqp.Table(cnf.QueueBindingArgs))
		},
	}}
}

func (t topology) queueArgs(queue string) amqp.Table {
	args := clone(t.withType(amqp.Table(t.cnf.AMQP.QueueDeclareArgs)))
	if _, set := args[consumerTimeoutArg]; !set && t.consumerTimeout > 0 {
		args[consumerTimeoutArg] = t.consumerTimeout.Milliseconds()
	}
	if !t.rejectToDeadLetters {
		return args
	}
	args["x-dead-letter-exchange"] = ""
	args["x-dead-letter-routing-key"] = t.deadQueue(queue)
	return args
}

// deadLettersIn declares a durable queue that is bound to nothing. One that exists otherwise is used as it is.
// RabbitMQ closes the channel then: nothing else must depend on it.
func deadLettersIn(queue string, args amqp.Table) declaration {
	return declaration{id: "queue " + queue, declare: func(channel *amqp.Channel) error {
		err := declareQueue(channel, queue, args)
		var refused *amqp.Error
		if errors.As(err, &refused) && refused.Code == amqp.PreconditionFailed {
			return nil
		}
		return err
	}}
}

func declareExchange(channel *amqp.Channel, name, kind string, args amqp.Table) error {
	if err := channel.ExchangeDeclare(name, kind, true, false, false, false, args); err != nil {
		return fmt.Errorf("declare exchange %q: %w", name, err)
	}
	return nil
}

func declareQueue(channel *amqp.Channel, name string, args amqp.Table) error {
	if len(name) > maxShortString {
		return fmt.Errorf("name of queue %.40q…: %w", name, ErrTooLarge)
	}
	defer creation(name)()
	if _, err := channel.QueueDeclare(name, true, false, false, false, args); err != nil {
		return fmt.Errorf("declare queue %q: %w", name, err)
	}
	return nil
}

func bindExchange(channel *amqp.Channel, destination, source string, args amqp.Table) error {
	if err := channel.ExchangeBind(destination, "", source, false, args); err != nil {
		return fmt.Errorf("bind exchange %q to exchange %q: %w", destination, source, err)
	}
	return nil
}

func bindQueue(channel *amqp.Channel, queue, key, exchange string, args amqp.Table) error {
	if err := channel.QueueBind(queue, key, exchange, false, args); err != nil {
		return fmt.Errorf("bind queue %q to exchange %q: %w", queue, exchange, err)
	}
	return nil
}

// delayedQueue declares the one queue for delayed tasks that a configuration may ask for, as Machinery does: it sends
// what has waited to the routing key of the task that was first.
func (t topology) delayedQueue(routingKey string) declaration {
	cnf := t.cnf.AMQP
	return declaration{
		id: "delayed queue " + cnf.DelayedQueue + " " + routingKey,
		declare: func(channel *amqp.Channel) error {
			args := amqp.Table{"x-dead-letter-exchange": cnf.Exchange, "x-dead-letter-routing-key": routingKey}
			_, err := channel.QueueDeclare(cnf.DelayedQueue, true, cnf.AutoDelete, false, false, args)
			if err != nil {
				return fmt.Errorf("declare queue %q for tasks of routing key %q: %w", cnf.DelayedQueue, routingKey, err)
			}
			return bindQueue(channel, cnf.DelayedQueue, cnf.DelayedQueue, cnf.Exchange, amqp.Table(cnf.QueueBindingArgs))
		},
	}
}
