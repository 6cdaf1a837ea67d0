// Package otelinspect has OpenTelemetry measure what is in the queues: it observes a source of package inspect.
//
//	registration, err := otelinspect.Observe(otel.Meter("orders"), redisadapter.NewSource(cnf, client))
//
// How tasks run is measured where they run, by package otelmiddleware. One process of a deployment is enough to observe
// its sources; all may.
package otelinspect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

const (
	sourceKey = attribute.Key("machinery.source.name")
	queueKey  = attribute.Key("messaging.destination.name")
)

// askTimeout is how long a source may take to answer, if the reader does not say: others would wait with it.
const askTimeout = 5 * time.Second

// instruments are what is measured of each queue.
type instruments struct {
	depth, running, putBack, delayed, dead, workers metric.Int64ObservableGauge
	paused, up                                      metric.Int64ObservableGauge
	oldest                                          metric.Float64ObservableGauge
	done                                            metric.Int64ObservableCounter
}

// Observe measures sources whenever the meter's reader collects: it asks each for its queues, once. The metrics have the
// queue's name as messaging.destination.name and the source's as machinery.source.name:
//
//	machinery.queue.depth       {task}    tasks that wait to be taken; fit to scale workers by
//	machinery.queue.oldest_age  s         since the next of these was sent
//	machinery.queue.running     {task}    tasks taken by a worker
//	machinery.queue.put_back    {task}    tasks that came back after an error
//	machinery.queue.delayed     {task}    tasks that wait for their ETA
//	machinery.queue.dead        {letter}  dead letters
//	machinery.queue.workers     {worker}  workers that take tasks from the queue
//	machinery.queue.done        {task}    tasks that workers have taken off the queue, ever growing
//	machinery.queue.paused                1 while the queue is paused, else 0
//	machinery.source.up                   1 where the source answers, else 0; without a queue
//
// Depth is 0 in an empty queue, so that what scales by it can scale down. What a broker does not tell is not measured,
// and nothing is of a source that does not answer but up; its error goes to OpenTelemetry's handler of errors.
//
// It returns the errors of the meter. Unregister of what it returns ends the observation. Sources are the caller's to
// close, after that.
func Observe(meter metric.Meter, sources ...inspect.Source) (metric.Registration, error) {
	i, all, err := newInstruments(meter)
	if err != nil {
		return nil, err
	}
	return meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		var failed []error
		for _, source := range sources {
			failed = append(failed, i.observe(ctx, o, source))
		}
		return errors.Join(failed...)
	}, all...)
}

func newInstruments(meter metric.Meter) (*instruments, []metric.Observable, error) {
	i := &instruments{}
	var all []metric.Observable
	var failed []error
	for _, g := range []struct {
		gauge                   *metric.Int64ObservableGauge
		name, unit, description string
	}{
		{&i.depth, "machinery.queue.depth", "{task}", "Tasks that wait to be taken by a worker."},
		{&i.running, "machinery.queue.running", "{task}", "Tasks taken by a worker."},
		{&i.putBack, "machinery.queue.put_back", "{task}", "Tasks that came back after an error."},
		{&i.delayed, "machinery.queue.delayed", "{task}", "Tasks that wait for their ETA."},
		{&i.dead, "machinery.queue.dead", "{letter}", "Dead letters."},
		{&i.workers, "machinery.queue.workers", "{worker}", "Workers that take tasks from the queue."},
		{&i.paused, "machinery.queue.paused", "", "1 while the queue is paused."},
		{&i.up, "machinery.source.up", "", "1 where the source answers."},
	} {
		gauge, err := meter.Int64ObservableGauge(g.name, metric.WithUnit(g.unit), metric.WithDescription(g.description))
		*g.gauge = gauge
		all, failed = append(all, gauge), append(failed, err)
	}
	var err error
	i.oldest, err = meter.Float64ObservableGauge("machinery.queue.oldest_age", metric.WithUnit("s"),
		metric.WithDescription("Since the waiting task that is next was sent."))
	failed = append(failed, err)
	i.done, err = meter.Int64ObservableCounter("machinery.queue.done", metric.WithUnit("{task}"),
		metric.WithDescription("Tasks that workers have taken off the queue."))
	return i, append(all, i.oldest, i.done), errors.Join(append(failed, err)...)
}

func (i *instruments) observe(ctx context.Context, o metric.Observer, source inspect.Source) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	queues, err := source.Queues(ctx)
	name := sourceKey.String(source.Name())
	if err != nil {
		o.ObserveInt64(i.up, 0, metric.WithAttributes(name))
		return fmt.Errorf("observe %s: %w", source.Name(), err)
	}
	o.ObserveInt64(i.up, 1, metric.WithAttributes(name))
	for _, q := range queues {
		i.observeQueue(o, q, metric.WithAttributeSet(attribute.NewSet(name, queueKey.String(q.Name))))
	}
	return nil
}

func (i *instruments) observeQueue(o metric.Observer, q inspect.Queue, of metric.MeasurementOption) {
	for _, c := range []struct {
		gauge metric.Int64ObservableGauge
		count int
	}{
		{i.depth, q.Waiting}, {i.running, q.Running}, {i.putBack, q.PutBack}, {i.delayed, q.Delayed}, {i.dead, q.Dead}, {i.workers, q.Workers},
	} {
		if c.count != inspect.Unknown {
			o.ObserveInt64(c.gauge, int64(c.count), of)
		}
	}
	if q.Done > 0 {
		o.ObserveInt64(i.done, int64(q.Done), of)
	}
	paused := int64(0)
	if q.Paused {
		paused = 1
	}
	o.ObserveInt64(i.paused, paused, of)
	switch {
	case !q.Oldest.IsZero():
		o.ObserveFloat64(i.oldest, max(0, time.Since(q.Oldest).Seconds()), of)
	case q.Waiting == 0:
		o.ObserveFloat64(i.oldest, 0, of)
	}
}
