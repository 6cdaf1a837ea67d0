package otelmiddleware

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// The attributes of all measurements. A failure of a task as a whole has no type.
const (
	taskKey = attribute.Key("machinery.task.name")
	typeKey = attribute.Key("machinery.envelope.type")
)

// Bounds that fit what is measured: those of the API begin at 5 seconds.
var (
	secondBounds = metric.WithExplicitBucketBoundaries(1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10)
	byteBounds   = metric.WithExplicitBucketBoundaries(1<<8, 1<<10, 1<<12, 1<<14, 1<<16, 1<<18, 1<<20, 1<<22, 1<<24)
)

// observer records observations on instruments.
type observer struct {
	sent, restored direction
	failed         metric.Int64Counter
}

// direction is what is measured of envelopes going one way.
type direction struct {
	count    metric.Int64Counter
	duration metric.Float64Histogram
	size     metric.Int64Histogram
}

// NewObserver makes an observer that records these metrics, with the task's name
// as machinery.task.name and the type's as machinery.envelope.type:
//
//	machinery.envelope.sent              {envelope}  values put in envelopes
//	machinery.envelope.send.duration     s           of putting one in
//	machinery.envelope.send.size         By          of envelopes sent
//	machinery.envelope.restored          {envelope}  values restored from envelopes
//	machinery.envelope.restore.duration  s           of restoring one
//	machinery.envelope.restore.size      By          of envelopes restored
//	machinery.envelope.failed            {failure}   values that could not be sent or restored, and,
//	                                                 without a type, tasks that failed for good
//
// It returns the errors of the meter. An application's views may change names, bounds and attributes.
func NewObserver(meter metric.Meter) (middleware.Observer, error) {
	sent, sentErr := newDirection(meter, "sent", "send")
	restored, restoredErr := newDirection(meter, "restored", "restore")
	failed, failedErr := meter.Int64Counter("machinery.envelope.failed", metric.WithUnit("{failure}"),
		metric.WithDescription("Values that could not be sent or restored, and tasks that failed for good."))
	if err := errors.Join(sentErr, restoredErr, failedErr); err != nil {
		return nil, err
	}
	return &observer{sent: sent, restored: restored, failed: failed}, nil
}

func newDirection(meter metric.Meter, done, doing string) (direction, error) {
	count, countErr := meter.Int64Counter("machinery.envelope."+done, metric.WithUnit("{envelope}"),
		metric.WithDescription("Envelopes "+done+"."))
	duration, durationErr := meter.Float64Histogram("machinery.envelope."+doing+".duration", metric.WithUnit("s"),
		metric.WithDescription("How long it took to "+doing+" an envelope."), secondBounds)
	size, sizeErr := meter.Int64Histogram("machinery.envelope."+doing+".size", metric.WithUnit("By"),
		metric.WithDescription("Length of the envelopes "+done+"."), byteBounds)
	return direction{count, duration, size}, errors.Join(countErr, durationErr, sizeErr)
}

func (o *observer) Sent(ctx context.Context, seen middleware.Observation) {
	o.sent.record(ctx, seen)
}

func (o *observer) Restored(ctx context.Context, seen middleware.Observation) {
	o.restored.record(ctx, seen)
}

func (o *observer) Failed(ctx context.Context, seen middleware.Observation) {
	o.failed.Add(ctx, 1, attributes(seen))
}

func (d *direction) record(ctx context.Context, seen middleware.Observation) {
	with := attributes(seen)
	d.count.Add(ctx, 1, with)
	d.duration.Record(ctx, seen.Duration.Seconds(), with)
	d.size.Record(ctx, int64(seen.Bytes), with)
}

func attributes(seen middleware.Observation) metric.MeasurementOption {
	if seen.Type == "" {
		return metric.WithAttributeSet(attribute.NewSet(taskKey.String(seen.Task)))
	}
	return metric.WithAttributeSet(attribute.NewSet(taskKey.String(seen.Task), typeKey.String(seen.Type)))
}
