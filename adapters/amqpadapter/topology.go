package amqpadapter

import (
	"fmt"
	"maps"

	"github.com/RichardKnop/machinery/v2/config"
	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// redeliveredSuffix names the queue, beside each work queue, for tasks that came a second time.
	redeliveredSuffix = ".redelivered"
	// deadSuffix names the queue, beside each work queue, for what nobody can do.
	deadSuffix = ".dead"
)

// topology declares exchanges and queues as Machinery's own broker does: RabbitMQ refuses anything else for what exists.
type topology struct {
	cnf *config.Config
	// deadLetter makes RabbitMQ put what is rejected or expires in the dead letters.
	deadLetter bool
	// deadQueue names the dead letters of a queue.
	deadQueue func(queue string) string
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
func (t topology) forPublishing(routingKey string) declaration {
	queue, bindingKey := t.queueFor(routingKey)
	return declaration{
		id:      "queue " + queue + " " + bindingKey,
		declare: func(channel *amqp.Channel) error { return t.declareQueue(channel, queue, bindingKey) },
	}
}

// forConsuming declares a worker's queue, and the one beside it.
func (t topology) forConsuming(channel *amqp.Channel, queue string) error {
	bindingKey := t.bindingOf(queue)
	if err := t.declareQueue(channel, queue, bindingKey); err != nil {
		return err
	}
	if t.isDirect() && bindingKey != t.cnf.AMQP.BindingKey {
		// Machinery's worker may have left this binding. It would make every default task run here too.
		err := channel.QueueUnbind(queue, t.cnf.AMQP.BindingKey, t.cnf.AMQP.Exchange, amqp.Table(t.cnf.AMQP.QueueBindingArgs))
		if err != nil {
			return fmt.Errorf("unbind queue %q from the default binding key: %w", queue, err)
		}
	}
	beside := queue + redeliveredSuffix
	if err := declareQueue(channel, beside, t.queueArgs(queue)); err != nil {
		return err
	}
	if err := dueAtQueue(queue).declare(channel); err != nil {
		return err
	}
	return dueAtQueue(beside).declare(channel)
}

func (t topology) declareQueue(channel *amqp.Channel, queue, bindingKey string) error {
	cnf := t.cnf.AMQP
	if err := declareExchange(channel, cnf.Exchange, cnf.ExchangeType, nil); err != nil {
		return err
	}
	if t.deadLetter {
		if err := declareQueue(channel, t.deadQueue(queue), nil); err != nil {
			return err
		}
	}
	if err := declareQueue(channel, queue, t.queueArgs(queue)); err != nil {
		return err
	}
	return bindQueue(channel, queue, bindingKey, cnf.Exchange, amqp.Table(cnf.QueueBindingArgs))
}

func (t topology) queueArgs(queue string) amqp.Table {
	args := amqp.Table(t.cnf.AMQP.QueueDeclareArgs)
	if !t.deadLetter {
		return args
	}
	args = maps.Clone(args)
	if args == nil {
		args = amqp.Table{}
	}
	args["x-dead-letter-exchange"] = ""
	args["x-dead-letter-routing-key"] = t.deadQueue(queue)
	return args
}

// durableQueue declares a queue that is bound to nothing.
func durableQueue(queue string) declaration {
	return declaration{
		id:      "queue " + queue,
		declare: func(channel *amqp.Channel) error { return declareQueue(channel, queue, nil) },
	}
}

func declareExchange(channel *amqp.Channel, name, kind string, args amqp.Table) error {
	if err := channel.ExchangeDeclare(name, kind, true, false, false, false, args); err != nil {
		return fmt.Errorf("declare exchange %q: %w", name, err)
	}
	return nil
}

func declareQueue(channel *amqp.Channel, name string, args amqp.Table) error {
	if _, err := channel.QueueDeclare(name, true, false, false, false, args); err != nil {
		return fmt.Errorf("declare queue %q: %w", name, err)
	}
	return nil
}

func bindQueue(channel *amqp.Channel, queue, key, exchange string, args amqp.Table) error {
	if err := channel.QueueBind(queue, key, exchange, false, args); err != nil {
		return fmt.Errorf("bind queue %q to exchange %q: %w", queue, exchange, err)
	}
	return nil
}

// delayedQueue declares the one queue for delayed tasks that a configuration may ask for, as Machinery does: it sends what
// has waited to the routing key of the task that was first.
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
