package amqpadapter

import (
	"context"
	"log/slog"
	"maps"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// These AMQP headers count, as numbers. The headers in a task's body never set them.
const (
	// DeliveriesHeader counts the deliveries of a task after which it was not processed to its end.
	DeliveriesHeader = "envelope-deliveries"
	// UnregisteredHeader counts how often workers that have not registered a task have put it back.
	UnregisteredHeader = "envelope-unregistered"
)

// maxUnregistered is where UnregisteredHeader stops to count.
const maxUnregistered = 1000

// unregistered makes the pauses before others on the queue see a task again that a worker has not registered.
var unregistered = backoff.Policy{First: 50 * time.Millisecond, Last: 5 * time.Second, Jitter: true}

// handler deals with the messages of one queue for one worker.
type handler struct {
	queue       string
	processor   brokersiface.TaskProcessor
	registered  func(task string) bool
	publisher   *publisher
	topology    topology
	runs        *runs
	letters     deadLetterQueue
	maxAttempts int
	maxMessage  int
	backoff     backoff.Policy
	log         *slog.Logger
	// background runs what has to do with a message, and what the worker waits for before it ends.
	background func(received, func())
	// stopping ends when the worker is to stop.
	stopping    context.Context
	stopTimeout time.Duration
}

func newHandler(b *broker, stopping context.Context, processor brokersiface.TaskProcessor) *handler {
	h := &handler{
		queue:       b.queueOf(processor.CustomQueue()),
		processor:   processor,
		registered:  b.IsTaskRegistered,
		publisher:   b.publisher,
		topology:    b.topology,
		runs:        b.runs,
		maxAttempts: b.maxAttempts,
		maxMessage:  b.maxMessage,
		backoff:     b.backoff,
		log:         b.logger,
		stopping:    stopping,
		stopTimeout: b.stopTimeout,
	}
	h.letters = b.lettersOf(h.queue)
	return h
}

// handle deals with a message from the queue. One that was delivered before may have killed a worker, or only have
// waited behind one that did, been looked at by GetPendingTasks, or been refused by a worker of Machinery that does not
// know it: RabbitMQ does not tell. It moves to the queue beside, where nothing but the loss of a worker makes a message
// come again.
func (h *handler) handle(d received) {
	deliveries := countIn(d.Headers, DeliveriesHeader)
	if d.Redelivered {
		h.move(d, h.queue+redeliveredSuffix, deliveries, 0)
		return
	}
	h.process(d, deliveries)
}

// handleAgain deals with a message from the queue beside. One that comes again from there was with a worker that was
// lost.
func (h *handler) handleAgain(d received) {
	deliveries := countIn(d.Headers, DeliveriesHeader)
	if !d.Redelivered {
		h.process(d, deliveries)
		return
	}
	deliveries++
	if deliveries >= h.maxAttempts {
		h.deadLetter(d, ErrTooManyAttempts)
		return
	}
	// It comes apart from those that were lost with it: one of them may be the cause.
	h.move(d, h.queue+redeliveredSuffix, deliveries, h.backoff.Pause(deliveries))
}

// process runs a task, and acknowledges the message when there is nothing left to do for it. Deliveries are those
// before.
func (h *handler) process(d received, deliveries int) {
	s, err := h.decode(d)
	switch {
	case err != nil:
		h.deadLetter(d, err)
	case !h.registered(s.Name):
		h.requeueUnregistered(d, s, deliveries)
	case s.ETA != nil && delayUntil(*s.ETA) > 0:
		h.move(d, h.queue, deliveries, time.Until(*s.ETA))
	default:
		h.run(d, s, deliveries+1)
	}
}

// run processes a task, and decides what becomes of its message. RabbitMQ gives the task to another worker where not
// all that follows the task could be sent before this one had to stop. Where that is for another reason the task is put
// back: this worker would have it for as long as it runs.
func (h *handler) run(d received, s *tasks.Signature, deliveries int) {
	err, unsent := h.processAndSend(s)
	if unsent == nil {
		h.settle(d, deliveries, err)
		return
	}
	h.logger(d).Warn("what follows a task could not all be sent: it runs again", "error", unsent)
	if h.stopping.Err() == nil {
		h.settle(d, deliveries, unsent)
	}
}

// processAndSend returns the error of processing, and why something that follows could not be sent, if so.
func (h *handler) processAndSend(s *tasks.Signature) (err, unsent error) {
	sending := delivery.Begin(h.stopping, s)
	defer func() { unsent = sending.End() }()
	return middleware.ProcessUntil(h.stopping, h.processor, s), nil
}

// decode reads a task from a message that is not too long for one.
func (h *handler) decode(d received) (*tasks.Signature, error) {
	return delivery.DecodeWithin(d.Body, h.maxMessage)
}

// requeueUnregistered gives a task that this worker has not registered to the others on the queue.
func (h *handler) requeueUnregistered(d received, s *tasks.Signature, deliveries int) {
	if s.IgnoreWhenTaskNotRegistered {
		h.acknowledge(d)
		return
	}
	before := countIn(d.Headers, UnregisteredHeader)
	if before == 0 {
		h.logger(d).Info("task is not registered here, putting it back")
	}
	d.Headers = maps.Clone(d.Headers)
	if d.Headers == nil {
		d.Headers = amqp.Table{}
	}
	times := min(before, maxUnregistered-1) + 1
	d.Headers[UnregisteredHeader] = int32(times)
	h.move(d, h.queue, deliveries, unregistered.Pause(times))
}

// logger returns one whose records name a message.
func (h *handler) logger(d received) *slog.Logger {
	return naming(h.log.With("queue", h.queue), d.Delivery, h.maxMessage)
}

// naming returns a logger that names the task in a message, where there is one.
func naming(logger *slog.Logger, d amqp.Delivery, maxMessage int) *slog.Logger {
	s, err := delivery.DecodeWithin(d.Body, maxMessage)
	if err != nil {
		return logger
	}
	return logger.With("task", s.Name, "uuid", s.UUID)
}
