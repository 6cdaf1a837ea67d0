package amqpadapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"strings"
	"time"

	"github.com/RichardKnop/machinery/v2/brokers/errs"
	"github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// AttemptsHeader is the AMQP header that counts, as a number, the attempts at a task that came to no end.
	AttemptsHeader = "envelope-broker-attempts"
	// strangerHeader counts how often workers that do not know a task have passed it on.
	strangerHeader = "envelope-broker-passed-on"

	// A task that this worker does not know rests, longer each time, before others on the queue see it again.
	firstPassOn = 50 * time.Millisecond
	lastPassOn  = 5 * time.Second
)

// handle deals with a message from the queue. One that was delivered before may have killed a worker, or only have waited
// behind one that did, been looked at by GetPendingTasks, or been refused by a worker of Machinery that does not know it:
// RabbitMQ does not tell. It moves to the queue beside, where nothing but the loss of a worker makes a message come again.
func (c *consumer) handle(d amqp.Delivery) {
	if d.Redelivered {
		c.move(d, c.queue+redeliveredSuffix, attempts(d), 0)
		return
	}
	c.process(d, attempts(d))
}

// handleAgain deals with a message from the queue beside. One that comes again from there was with a worker that was lost.
func (c *consumer) handleAgain(d amqp.Delivery) {
	n := attempts(d)
	if !d.Redelivered {
		c.process(d, n)
		return
	}
	n++
	if n >= c.maxAttempts {
		c.bury(d, ErrTooManyAttempts)
		return
	}
	// It comes apart from those that were lost with it: one of them may be the cause.
	c.move(d, c.queue+redeliveredSuffix, n, spread(doubled(c.firstPause, c.lastPause, n-1)))
}

// process runs a task, and acknowledges the message when there is nothing left to do for it.
func (c *consumer) process(d amqp.Delivery, n int) {
	signature, err := decodeTask(d.Body)
	switch {
	case err != nil:
		c.bury(d, err)
	case !c.IsTaskRegistered(signature.Name):
		c.passOn(d, signature, n)
	case signature.ETA != nil && delayUntil(*signature.ETA) > 0:
		c.move(d, c.queue, n, time.Until(*signature.ETA))
	default:
		c.settle(d, n, c.attempt(signature))
	}
}

// errPanic stands for what a processor panicked with, which may hold anything.
var errPanic = errors.New("processing panicked")

// attempt turns a panic into an error: it would take all other tasks of the worker along.
func (c *consumer) attempt(signature *tasks.Signature) (err error) {
	defer func() {
		if recover() != nil {
			log.ERROR.Printf("amqpadapter: processing panicked\n%s", debug.Stack())
			err = errPanic
		}
	}()
	return c.processor.Process(signature)
}

// settle decides what becomes of a message that was processed.
func (c *consumer) settle(d amqp.Delivery, n int, err error) {
	switch {
	case err == nil:
		c.acknowledge(d)
	case errors.Is(err, errs.ErrStopTaskDeletion):
		c.bury(d, fmt.Errorf("%w: %w", ErrRejected, err))
	case isUnreadable(err):
		// The worker has set FAILURE and sent what is to be sent then: trying again would do so again.
		c.bury(d, fmt.Errorf("%w: %w", ErrRejected, err))
	case n+1 >= c.maxAttempts:
		c.bury(d, fmt.Errorf("%w: %w", ErrTooManyAttempts, err))
	default:
		log.WARNING.Printf("amqpadapter: %s was not processed to its end, putting it back", label(d))
		c.move(d, c.queue, n+1, spread(doubled(c.firstPause, c.lastPause, n)))
	}
}

// isUnreadable tells whether Machinery could not make sense of the arguments' types. Its error has no type of its own.
func isUnreadable(err error) bool { return strings.HasPrefix(err.Error(), "Reflect task args error") }

// passOn gives a task that this worker does not know to the others on the queue.
func (c *consumer) passOn(d amqp.Delivery, signature *tasks.Signature, n int) {
	if signature.IgnoreWhenTaskNotRegistered {
		c.acknowledge(d)
		return
	}
	laps := count(d, strangerHeader)
	if laps == 0 {
		log.INFO.Printf("amqpadapter: %s is not registered here, put back on %s", label(d), c.queue)
	}
	d.Headers = maps.Clone(d.Headers)
	if d.Headers == nil {
		d.Headers = amqp.Table{}
	}
	d.Headers[strangerHeader] = int32(min(laps, 1000) + 1)
	c.move(d, c.queue, n, spread(doubled(firstPassOn, lastPassOn, laps)))
}

// move publishes the message anew, to come after a pause, and then acknowledges the old one.
func (c *consumer) move(d amqp.Delivery, queue string, n int, after time.Duration) {
	m := message{routingKey: d.RoutingKey, Publishing: republished(d), needs: []declaration{dueAtQueue(queue)}}
	m.Headers[delayQueueHeader] = queue
	if n > 0 {
		m.Headers[AttemptsHeader] = int32(n)
	}
	m.delay(milliseconds(after))
	c.replace(d, func(ctx context.Context) error {
		err := c.publisher.publish(ctx, m)
		if errors.Is(err, ErrTooLarge) {
			return c.keepDead(ctx, d, err)
		}
		return err
	})
}

// bury gives a message to the dead letters.
func (c *consumer) bury(d amqp.Delivery, reason error) {
	c.replace(d, func(ctx context.Context) error { return c.keepDead(ctx, d, reason) })
}

// keepDead lets go of headers that leave no room for those of a dead letter: the message would never get away from here.
func (c *consumer) keepDead(ctx context.Context, d amqp.Delivery, reason error) error {
	letter, from := republished(d), origin{d.Exchange, d.RoutingKey, c.queue}
	err := c.dead.push(ctx, letter, from, reason)
	if errors.Is(err, ErrTooLarge) {
		letter.Headers = amqp.Table{}
		err = c.dead.push(ctx, letter, from, reason)
	}
	if err == nil {
		log.ERROR.Printf("amqpadapter: %s went to the dead letters in %s: %v", label(d), c.dead.queue, sentinelOf(reason))
	}
	return err
}

// sentinelOf leaves out of a reason what a worker has said, which may hold a value.
func sentinelOf(reason error) error {
	for _, sentinel := range []error{ErrNoTask, ErrTooManyAttempts, ErrRejected, ErrTooLarge} {
		if errors.Is(reason, sentinel) {
			return sentinel
		}
	}
	return errors.New("unknown reason")
}

// replace acknowledges a message when it is safe elsewhere. It tries for as long as nobody else has the message: when the
// broker stops or the channel is lost, RabbitMQ gives it to another worker.
func (c *consumer) replace(d amqp.Delivery, publish func(context.Context) error) {
	for tries := 0; ; tries++ {
		err := publish(context.Background())
		if err == nil {
			c.acknowledge(d)
			return
		}
		if tries == 0 {
			log.WARNING.Printf("amqpadapter: message of queue %s cannot be moved, trying again: %v", c.queue, err)
		}
		if isGone(d) || !pause(c.stopping, spread(doubled(firstReconnect, lastReconnect, tries))) {
			return
		}
	}
}

func isGone(d amqp.Delivery) bool {
	channel, ok := d.Acknowledger.(*amqp.Channel)
	return ok && channel.IsClosed()
}

func (c *consumer) acknowledge(d amqp.Delivery) {
	if err := d.Ack(false); err != nil {
		log.WARNING.Printf("amqpadapter: %s could not be acknowledged, it will come again: %v", label(d), err)
	}
}

// label names a message in the log.
func label(d amqp.Delivery) string {
	signature, err := decodeTask(d.Body)
	if err != nil {
		return "a message that is no task"
	}
	return fmt.Sprintf("task %q (%s)", signature.Name, signature.UUID)
}

// republished is a message as it came, without the traces of its way.
func republished(d amqp.Delivery) amqp.Publishing {
	return amqp.Publishing{
		Headers:         withoutJourney(d.Headers),
		ContentType:     d.ContentType,
		ContentEncoding: d.ContentEncoding,
		DeliveryMode:    amqp.Persistent,
		Priority:        d.Priority,
		CorrelationId:   d.CorrelationId,
		ReplyTo:         d.ReplyTo,
		Timestamp:       d.Timestamp,
		Type:            d.Type,
		AppId:           d.AppId,
		Body:            d.Body,
	}
}

// attempts reads the count of a message.
func attempts(d amqp.Delivery) int { return count(d, AttemptsHeader) }

// count reads a header that anybody may have set to anything.
func count(d amqp.Delivery, header string) int {
	switch n := d.Headers[header].(type) {
	case int32:
		return int(max(n, 0))
	case int64:
		return int(min(max(n, 0), 1<<30))
	default:
		return 0
	}
}

// decodeTask keeps numbers as they were written, as Machinery expects. Its error tells nothing of the message.
func decodeTask(body []byte) (*tasks.Signature, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	signature := new(tasks.Signature)
	if err := decoder.Decode(signature); err != nil || signature.Name == "" {
		return nil, ErrNoTask
	}
	return signature, nil
}
