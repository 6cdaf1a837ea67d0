package redisadapter

import (
	"fmt"
	"log/slog"
	"sync"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/lifecycle"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// runner processes messages, each in a goroutine of the worker's.
type runner struct {
	// source is the client, where it can be compared.
	source       any
	processor    brokersiface.TaskProcessor
	isRegistered func(task string) bool
	maxAttempts  int
	maxMessage   int
	lifecycle    *lifecycle.Worker
	inFlight     *inFlight
	settler      *settler
	unknown      *unknownTasks
	breaker      *breaker
	logger       *slog.Logger // has the queue

	pool      *pool
	running   sync.WaitGroup
	executing *executing
	reporter  *reporter
}

// begin runs a message in a slot of its own, unless the worker is to stop: then it goes back when the consumer leaves.
func (r *runner) begin(m message) {
	if r.lifecycle.IsStopping() {
		return
	}
	slot := r.inFlight.take(m)
	r.running.Add(1)
	r.pool.run(func() {
		defer r.running.Done()
		defer slot.finish()
		// That is what becomes of it should its goroutine be ended.
		d := kept
		defer func() { r.inFlight.finish(m, d) }()
		d = r.run(m, slot)
	})
}

// wait returns when all that was begun has ended.
func (r *runner) wait() { r.running.Wait() }

// run deals with one message. Whatever is wrong with it ends here, so that the next one is processed all the same.
func (r *runner) run(m message, slot *slot) disposition {
	signature, err := r.decode(m.body)
	switch {
	case err != nil:
		r.logger.Error("message is no task that may be processed, goes to the dead letters", "bytes", len(m.body), "error", err)
		return r.settler.deadLetter(m.body, err)
	case m.failures >= r.maxAttempts:
		reason := fmt.Errorf("%w: %d workers died of it, or with it", ErrTooManyAttempts, m.failures)
		return r.abandon(m.body, reason)
	case !r.isRegistered(signature.Name):
		return r.returnUnknown(signature, m.body)
	}
	r.unknown.known()
	return r.process(signature, m.body, slot)
}

func (r *runner) decode(body string) (*tasks.Signature, error) {
	return delivery.DecodeWithin([]byte(body), r.maxMessage)
}

func (r *runner) process(signature *tasks.Signature, body string, slot *slot) disposition {
	// What a task is called can change while it is processed.
	logger := withTask(r.logger, signature)
	probing := r.breaker.probing()
	err, unsent := r.processAndSend(signature, slot)
	if unsent != nil {
		logger.Warn("stopped before all that follows a task was sent: it runs again", "error", unsent)
		return kept
	}
	switch outcome := delivery.Classify(err); {
	case outcome == delivery.Processed:
		r.breaker.succeeded()
		return processed
	case outcome == delivery.Refused:
		return r.settler.deadLetter(body, err)
	case outcome == delivery.Rejected:
		logger.Error("task was rejected, goes to the dead letters", "error", ErrRejected)
		return r.settler.deadLetter(body, fmt.Errorf("%w: %w", ErrRejected, err))
	case delivery.IsBackendFailure(err):
		return r.settler.deferUncounted(body, r.breaker.failed(probing))
	}
	// The error's text can quote arguments, so it stays out of the log.
	logger.Warn("task was not processed to its end")
	d, failures := r.settler.deferMessage(body)
	if d == kept || failures < r.maxAttempts {
		return d
	}
	return r.abandon(body, fmt.Errorf("%w: %w", ErrTooManyAttempts, err))
}

// processAndSend returns the error of processing, and why something that follows could not be sent, if so.
func (r *runner) processAndSend(signature *tasks.Signature, slot *slot) (err, unsent error) {
	r.executing.begin()
	defer r.executing.end()
	defer r.reporter.begin(signature)()
	d := delivery.BeginFrom(r.source, r.lifecycle.Stopping(), signature)
	d.WhenReturned(slot.freeAhead)
	defer func() { unsent = d.End() }()
	return middleware.ProcessUntil(r.lifecycle.Stopping(), r.processor, signature), nil
}

// abandon gives a task to the dead letters that will not be delivered again, and tells the processor.
func (r *runner) abandon(body string, reason error) disposition {
	original, err := r.decode(body)
	if err != nil {
		return r.settler.deadLetter(body, err)
	}
	withTask(r.logger, original).Error("task was tried too often, goes to the dead letters", "error", ErrTooManyAttempts)
	d := r.settler.deadLetter(body, reason)
	if abandoner, ok := r.processor.(middleware.Abandoner); ok && d == processed {
		abandoner.Abandon(original, reason)
	}
	return d
}

// returnUnknown gives a task that this worker does not know to the others on the queue.
func (r *runner) returnUnknown(signature *tasks.Signature, body string) disposition {
	if signature.IgnoreWhenTaskNotRegistered {
		return processed
	}
	d, queued := r.settler.moveToEnd(body)
	if d == moved && r.unknown.returned(queued) {
		withTask(r.logger, signature).Info("task is not registered here, put back on its queue")
	}
	return d
}

func withTask(logger *slog.Logger, s *tasks.Signature) *slog.Logger {
	return logger.With("task", s.Name, "uuid", s.UUID)
}
