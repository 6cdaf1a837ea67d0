package redisadapter

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/RichardKnop/machinery/v2/brokers/errs"
	"github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// ErrDeliveryLimit is the reason of a dead letter that was delivered as often as WithDeliveryLimit allows.
var ErrDeliveryLimit = errors.New("delivered too often")

// errPanic stands for what a processor panicked with, which may hold anything.
var errPanic = errors.New("processing panicked")

// handle runs one message. Whatever is wrong with it ends here: the next one is not to suffer.
func (c *consumer) handle(d delivery) outcome {
	signature, err := decodeTask(d.message)
	switch {
	case err != nil:
		log.ERROR.Printf("redisadapter: a message of %d bytes on %s is no task, goes to the dead letters",
			len(d.message), c.keys.queue)
		return c.bury(d.message, err)
	case d.failures >= int64(c.deliveryLimit):
		log.ERROR.Printf("redisadapter: task %q (%q) was running when %d workers died, goes to the dead letters",
			signature.Name, signature.UUID, d.failures)
		return c.bury(d.message, fmt.Errorf("%w: %d workers died of it, or with it", ErrDeliveryLimit, d.failures))
	case !c.IsTaskRegistered(signature.Name):
		return c.turnAway(signature, d.message)
	}
	c.lap.hit()
	// What a task is called can change while it is processed.
	name, uuid := signature.Name, signature.UUID
	err = c.process(signature)
	switch {
	case err == nil:
		return processed
	case errors.Is(err, errs.ErrStopTaskDeletion):
		// The task has failed, and its sender wants to keep those.
		return c.bury(d.message, err)
	}
	// The error's text can quote arguments, so it stays out of the log.
	log.ERROR.Printf("redisadapter: task %q (%q) was not processed to its end", name, uuid)
	return c.putBack(d.message, err)
}

// process turns a panic into an error: it would take all other tasks of the worker along.
func (c *consumer) process(signature *tasks.Signature) (err error) {
	defer func() {
		if recover() != nil {
			log.ERROR.Printf("redisadapter: processing panicked\n%s", debug.Stack())
			err = errPanic
		}
	}()
	return c.processor.Process(signature)
}

// bury gives a message to the dead letters.
func (c *consumer) bury(message string, reason error) outcome {
	letter := DeadLetter{Message: []byte(message), Queue: c.keys.queue, Reason: reason.Error()}
	return c.insist(processed, "write dead letters of "+c.keys.queue, func(ctx context.Context) error {
		return c.letters.add(ctx, letter)
	})
}

// insist tries until it succeeds, since nobody else sees to the message, or the worker stops. Then the message is
// kept, and goes back to the queue when the consumer leaves.
func (c *consumer) insist(then outcome, what string, do func(ctx context.Context) error) outcome {
	var pauses backoff
	for {
		err := do(context.Background())
		c.trouble.note(what, err)
		if err == nil {
			return then
		}
		if !c.shift.rest(pauses.next()) {
			return kept
		}
	}
}
