package amqpadapter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	maxPriorityArg = "x-max-priority"
	// consumerTimeoutArg is ignored by a RabbitMQ that does not know it.
	consumerTimeoutArg = "x-consumer-timeout"
)

// creations has a mutex for each queue that this process has declared. RabbitMQ answers at once who declares a quorum
// queue that somebody else is just making: it refuses messages for it for a moment longer, and ends the connection of
// who consumes it. A worker and a sender of one process often declare the same queue at the same time.
var creations sync.Map

// maxCreation is how long a declaration waits for another one, which may be on a connection that RabbitMQ does not
// read.
const maxCreation = 5 * time.Second

// creation waits until nobody else in this process declares the queue. The function that it returns must be called.
func creation(queue string) (end func()) {
	found, _ := creations.LoadOrStore(queue, newMutex())
	ctx, cancel := context.WithTimeout(context.Background(), maxCreation)
	defer cancel()
	declaring := found.(mutex)
	if declaring.lock(ctx) != nil {
		return func() {}
	}
	return declaring.unlock
}

// queue declares a durable queue. One that exists with other arguments is used as it is, which is reported once: who
// made it knows what it is for. RabbitMQ closes the channel then: nothing else must depend on it.
func (t topology) queue(name string, args amqp.Table) declaration {
	return declaration{id: "queue " + name, declare: func(channel *amqp.Channel) error {
		err := declareQueue(channel, name, args)
		argument, current, differs := differenceIn(err)
		switch {
		case differs && isExtra(argument):
			t.notes.note("queue exists with another argument, using it as it is",
				"queue", name, "argument", argument, "current", current, "declared", args[argument])
			return nil
		case hasNoPriorities(err):
			t.notes.note("queue has no x-max-priority, which RabbitMQ refuses for its type", "queue", name)
			return instead{err, t.queue(name, without(args, maxPriorityArg))}
		default:
			return err
		}
	}}
}

// withType adds the type of WithQueueType to the arguments of a queue, unless they have one.
func (t topology) withType(args amqp.Table) amqp.Table {
	if _, set := args[amqp.QueueTypeArg]; set || t.queueType == "" {
		return args
	}
	args = clone(args)
	args[amqp.QueueTypeArg] = t.queueType
	return args
}

// hasNoPriorities reports whether RabbitMQ has refused x-max-priority, as it does for quorum queues.
func hasNoPriorities(err error) bool {
	var refused *amqp.Error
	return errors.As(err, &refused) && strings.Contains(refused.Reason, "invalid arg '"+maxPriorityArg+"'")
}

func without(args amqp.Table, name string) amqp.Table {
	kept := clone(args)
	delete(kept, name)
	return kept
}

func clone(args amqp.Table) amqp.Table {
	copied := make(amqp.Table, len(args)+1)
	maps.Copy(copied, args)
	return copied
}

// instead is an error with what may be declared in place of what was refused.
type instead struct {
	error
	declaration declaration
}

func (i instead) Unwrap() error { return i.error }

// notes logs once what is found in RabbitMQ.
type notes struct {
	logger *slog.Logger
	seen   sync.Map
}

func (n *notes) note(message string, attributes ...any) {
	if n == nil {
		return
	}
	if _, again := n.seen.LoadOrStore(fmt.Sprint(message, attributes), nil); !again {
		n.logger.Warn(message, attributes...)
	}
}
