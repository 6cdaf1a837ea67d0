package otelmiddleware

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Attributes of OpenTelemetry's semantic conventions for messaging, and of our own.
const (
	systemKey      = attribute.Key("messaging.system")
	operationKey   = attribute.Key("messaging.operation.name")
	kindKey        = attribute.Key("messaging.operation.type")
	destinationKey = attribute.Key("messaging.destination.name")
	messageKey     = attribute.Key("messaging.message.id")
	errorKey       = attribute.Key("error.type")
	outcomeKey     = attribute.Key("machinery.task.outcome")
	runKey         = attribute.Key("machinery.task.run")
)

const system = "machinery"

var (
	taskSecondBounds = metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
	runBounds        = metric.WithExplicitBucketBoundaries(1, 2, 3, 5, 10, 20, 50)
)

// taskObserver follows tasks by instruments and, with a tracer, by spans.
type taskObserver struct {
	middleware.Observer // of envelopes
	tracer              trace.Tracer
	sent                metric.Int64Counter
	wait, duration      metric.Float64Histogram
	attempts            metric.Int64Histogram
	labels              labelTable
}

// NewTaskObserver makes an observer that does what that of [NewObserver] does, and follows tasks too: give it to senders
// and workers by middleware.WithObserver, along with a [Propagator]. It records these metrics, with the task's name as
// machinery.task.name and the queue as messaging.destination.name:
//
//	messaging.client.sent.messages  {message}  tasks sent, also those that a worker sends; with error.type where that failed
//	machinery.task.wait             s          from when a task was sent, or from its ETA, until it runs
//	messaging.process.duration      s          of a run, by machinery.task.outcome: success, retry or failure
//	machinery.task.attempts         {attempt}  runs of a task until it succeeded or failed for good, by the outcome
//
// How many tasks have which outcome is the count of messaging.process.duration. A replayed dead letter has waited since
// it was first sent. Messages choose queues: from the thousandth pair of a task and a queue on, the queue is _other.
//
// For each send the tracer makes a span of kind producer, and for each run one of kind consumer, which is its child and
// is linked to it; they have the attributes of the semantic conventions for messaging. A nil tracer makes none. The text
// of errors is in no span and no metric: it can quote values.
//
// It returns the errors of the meter.
func NewTaskObserver(meter metric.Meter, tracer trace.Tracer) (middleware.TaskObserver, error) {
	envelopes, envelopesErr := NewObserver(meter)
	sent, sentErr := meter.Int64Counter("messaging.client.sent.messages", metric.WithUnit("{message}"),
		metric.WithDescription("Tasks sent."))
	wait, waitErr := meter.Float64Histogram("machinery.task.wait", metric.WithUnit("s"),
		metric.WithDescription("How long tasks waited until they ran."), taskSecondBounds)
	duration, durationErr := meter.Float64Histogram("messaging.process.duration", metric.WithUnit("s"),
		metric.WithDescription("How long runs of tasks took."), taskSecondBounds)
	attempts, attemptsErr := meter.Int64Histogram("machinery.task.attempts", metric.WithUnit("{attempt}"),
		metric.WithDescription("Runs of tasks until they ended for good."), runBounds)
	if err := errors.Join(envelopesErr, sentErr, waitErr, durationErr, attemptsErr); err != nil {
		return nil, err
	}
	return &taskObserver{Observer: envelopes, tracer: tracer, sent: sent, wait: wait, duration: duration, attempts: attempts}, nil
}

// Sending implements middleware.TaskObserver.
func (o *taskObserver) Sending(ctx context.Context, t middleware.TaskObservation) (context.Context, func(error)) {
	ctx, span := o.start(ctx, "send", t, trace.SpanKindProducer)
	return ctx, func(err error) {
		of := o.labels.of(t)
		if err == nil {
			o.sent.Add(ctx, 1, of.sent...)
		} else {
			o.sent.Add(ctx, 1, metric.WithAttributeSet(of.with("send", errorKey.String(errorType(err)))))
		}
		end(span, err)
	}
}

// Running implements middleware.TaskObserver.
func (o *taskObserver) Running(ctx context.Context, t middleware.TaskObservation) (context.Context, func(middleware.Outcome, error)) {
	of := o.labels.of(t)
	if t.Waited >= 0 {
		o.wait.Record(ctx, t.Waited.Seconds(), of.received...)
	}
	ctx, span := o.start(ctx, "process", t, trace.SpanKindConsumer)
	started := time.Now()
	return ctx, func(outcome middleware.Outcome, err error) {
		with := of.ended[outcome]
		o.duration.Record(ctx, time.Since(started).Seconds(), with...)
		if outcome != middleware.Retried {
			o.attempts.Record(ctx, int64(t.Run), with...)
		}
		if span != nil {
			span.SetAttributes(outcomeKey.String(string(outcome)))
		}
		end(span, err)
	}
}
