package amqpadapter

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// settle decides what becomes of a message that was processed in so many deliveries.
func (h *handler) settle(d received, deliveries int, err error) {
	switch outcome := delivery.Classify(err); {
	case outcome == delivery.Processed:
		h.acknowledge(d)
	case outcome == delivery.Refused:
		h.deadLetter(d, err)
	case outcome == delivery.Rejected:
		h.deadLetter(d, fmt.Errorf("%w: %w", ErrRejected, err))
	case errors.Is(err, middleware.ErrStopped):
		h.logger(d).Warn("stopped before the result backend took how a task had ended: RabbitMQ gives it to another worker")
	case deliveries >= h.maxAttempts:
		h.deadLetter(d, fmt.Errorf("%w: %w", ErrTooManyAttempts, err))
	default:
		h.logger(d).Warn("task was not processed to its end, putting it back", "attempts", deliveries)
		h.move(d, h.queue, deliveries, h.backoff.Pause(deliveries))
	}
}

// move publishes the message anew, to come after a pause, and then acknowledges the old one.
func (h *handler) move(d received, queue string, deliveries int, after time.Duration) {
	m := message{routingKey: d.RoutingKey, Publishing: republished(d.Delivery)}
	if deliveries > 0 {
		m.Headers[DeliveriesHeader] = int32(deliveries)
	}
	h.topology.delayToQueue(&m, queue, milliseconds(after))
	h.replace(d, func(ctx context.Context) error {
		err := h.publisher.publishUnlessNacked(ctx, m)
		if errors.Is(err, ErrTooLarge) {
			return h.keep(ctx, d, err)
		}
		return err
	})
}

// deadLetter moves a message to the dead letters.
func (h *handler) deadLetter(d received, reason error) {
	h.replace(d, func(ctx context.Context) error { return h.keep(ctx, d, reason) })
}

func (h *handler) keep(ctx context.Context, d received, reason error) error {
	from := origin{exchange: d.Exchange, routingKey: d.RoutingKey, queue: h.queue}
	if err := h.letters.push(ctx, (*publisher).publishUnlessNacked, republished(d.Delivery), from, reason); err != nil {
		return err
	}
	h.logger(d).Error("message went to the dead letters", "letters", h.letters.name, "error", sentinelOf(reason))
	h.abandon(d, reason)
	return nil
}

// abandon tells the worker that a task will not come again. It knows that of one that it has rejected or refused.
func (h *handler) abandon(d received, reason error) {
	abandoner, ok := h.processor.(middleware.Abandoner)
	if !ok || errors.Is(reason, ErrRejected) || delivery.Classify(reason) == delivery.Refused {
		return
	}
	if s, err := h.decode(d); err == nil {
		abandoner.Abandon(s, reason)
	}
}

// unmovable makes the pauses between attempts to move a message.
var unmovable = backoff.Policy{First: 100 * time.Millisecond, Last: time.Minute, Jitter: true}

// errOther stands for an error of the task itself.
var errOther = errors.New("task failed, as its letter says")

// sentinelOf leaves out of a reason what a worker has said, which may hold a value.
func sentinelOf(reason error) error {
	for _, sentinel := range []error{
		envelope.ErrLimit, deadletter.ErrNoTask, ErrTooManyAttempts, ErrRejected, ErrTooLarge,
		middleware.ErrUnsigned, middleware.ErrForged, middleware.ErrExpired, middleware.ErrUnreadable,
	} {
		if errors.Is(reason, sentinel) {
			return sentinel
		}
	}
	return errOther
}

// replace acknowledges a message when it is safe elsewhere. Where the first attempt fails it goes on in the background,
// so that other tasks run meanwhile. It tries for as long as nobody else has the message: when the worker stops or the
// channel is lost, RabbitMQ gives it to another worker.
func (h *handler) replace(d received, publish func(context.Context) error) {
	err := h.attempt(publish)
	if err == nil {
		h.acknowledge(d)
		return
	}
	h.logger(d).Warn("message cannot be moved, trying again", "error", err)
	end := h.runs.begin(d.key)
	h.background(d, func() {
		defer end()
		for failures := 1; keptFor(h.stopping, d, unmovable.Pause(failures)); failures++ {
			if h.attempt(publish) == nil {
				h.acknowledge(d)
				return
			}
		}
	})
}

// attempt ends when the worker has waited long enough since it was to stop.
func (h *handler) attempt(publish func(context.Context) error) error {
	ctx, cancel := lifecycle.WithGrace(context.Background(), h.stopping, h.stopTimeout)
	defer cancel()
	return publish(ctx)
}

// keptFor pauses, and reports whether nobody else has the message then. It does not pause for one that is gone: where it
// comes again to this worker, that waits.
func keptFor(stopping context.Context, d received, pause time.Duration) bool {
	return !isGone(d) && backoff.Sleep(stopping, pause) && !isGone(d)
}

func isGone(d received) bool {
	channel, ok := d.Acknowledger.(*amqp.Channel)
	return ok && channel.IsClosed()
}

// acknowledge tells RabbitMQ that nothing is left to do for a message.
func (h *handler) acknowledge(d received) {
	d.session.acknowledger.acknowledge(d)
}
