package otelmiddleware_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/middleware/otelmiddleware"
)

// traced is a server whose tasks are followed.
type traced struct {
	m      *middleware.Middleware
	spans  *tracetest.InMemoryExporter
	reader *sdkmetric.ManualReader
	tracer trace.Tracer
}

func newTraced(t *testing.T) *traced {
	t.Helper()
	spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("test")
	observer, err := otelmiddleware.NewTaskObserver(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"), tracer)
	require.NoError(t, err)
	_, m, err := newServer(middleware.WithObserver(observer), middleware.WithPropagator(otelmiddleware.Propagator(propagation.TraceContext{})))
	require.NoError(t, err)
	return &traced{m, spans, reader, tracer}
}

// metrics returns the sums of what was collected, by name and attributes.
func (s *traced) metrics(t *testing.T) map[string]string {
	t.Helper()
	var collected metricdata.ResourceMetrics
	require.NoError(t, s.reader.Collect(t.Context(), &collected))
	sums := map[string]string{}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				sums[m.Name+errorAndOutcome(p.Attributes)] = fmt.Sprint(p.Value)
			}
		case metricdata.Histogram[int64]:
			for _, p := range data.DataPoints {
				sums[m.Name+errorAndOutcome(p.Attributes)] = fmt.Sprint(p.Count, " ", p.Sum)
			}
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				sums[m.Name+errorAndOutcome(p.Attributes)] = fmt.Sprint(p.Count)
			}
		}
	}
	return sums
}

func errorAndOutcome(attributes attribute.Set) (text string) {
	for _, key := range []attribute.Key{"machinery.task.outcome", "error.type"} {
		if value, ok := attributes.Value(key); ok {
			text += " " + value.AsString()
		}
	}
	return text
}

func TestSendAndRunAreLinkedSpansOfOneTrace(t *testing.T) {
	s := newTraced(t)
	require.NoError(t, s.m.RegisterTask("orders.ship", func(ctx context.Context) error {
		_, inner := s.tracer.Start(ctx, "inner")
		inner.End()
		return nil
	}))
	ctx, checkout := s.tracer.Start(t.Context(), "checkout")
	_, err := s.m.SendTask(ctx, &tasks.Signature{UUID: "u-1", Name: "orders.ship", RoutingKey: "urgent"})
	require.NoError(t, err)
	checkout.End()

	spans := map[string]tracetest.SpanStub{}
	for _, span := range s.spans.GetSpans() {
		spans[span.Name] = span
	}
	send, run := spans["send urgent"], spans["process urgent"]
	require.True(t, send.SpanContext.IsValid())
	assert.Equal(t, checkout.SpanContext().SpanID(), send.Parent.SpanID())
	assert.Equal(t, send.SpanContext.SpanID(), run.Parent.SpanID())
	require.Len(t, run.Links, 1)
	assert.Equal(t, send.SpanContext.SpanID(), run.Links[0].SpanContext.SpanID())
	assert.Equal(t, run.SpanContext.SpanID(), spans["inner"].Parent.SpanID())
	assert.Equal(t, []trace.SpanKind{trace.SpanKindProducer, trace.SpanKindConsumer}, []trace.SpanKind{send.SpanKind, run.SpanKind})
	assert.Contains(t, run.Attributes, attribute.String("messaging.message.id", "u-1"))
	assert.Contains(t, run.Attributes, attribute.String("messaging.destination.name", "urgent"))
	assert.Contains(t, run.Attributes, attribute.String("machinery.task.name", "orders.ship"))
}

func TestWaitsRunsAttemptsAndOutcomesAreMeasured(t *testing.T) {
	s := newTraced(t)
	runs := 0
	require.NoError(t, s.m.RegisterTask("orders.ship", func() error {
		if runs++; runs < 3 {
			return errors.New("s3cret")
		}
		return nil
	}))
	require.NoError(t, s.m.RegisterTask("orders.fail", func() error { return errors.New("s3cret") }))
	_, err := s.m.SendTask(t.Context(), &tasks.Signature{Name: "orders.ship", RoutingKey: "urgent", RetryCount: 3})
	require.NoError(t, err)
	_, _ = s.m.SendTask(t.Context(), &tasks.Signature{Name: "orders.fail", RoutingKey: "urgent"})

	type unregistered struct{ A int }
	_, err = s.m.SendTask(t.Context(), &tasks.Signature{Name: "orders.ship", Args: []tasks.Arg{{Value: unregistered{}}}})
	require.Error(t, err)
	metrics := s.metrics(t)
	for name, want := range map[string]string{
		"messaging.process.duration success": "1",
		"messaging.process.duration retry":   "2",
		"messaging.process.duration failure": "1",
		"machinery.task.attempts success":    "1 3",
		"machinery.task.attempts failure":    "1 1",
	} {
		assert.Equal(t, want, metrics[name], name)
	}
	assert.NotEmpty(t, metrics["machinery.task.wait"])
	assert.NotContains(t, fmt.Sprint(s.spans.GetSpans(), metrics), "s3cret")
}

func TestAMeterThatRefusesAnInstrumentOfTasksIsReported(t *testing.T) {
	_, err := otelmiddleware.NewTaskObserver(refusing{}, nil)
	assert.ErrorIs(t, err, errRefused)
}

func TestQueuesThatMessagesMakeUpTakeNoMoreMemory(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	observer, err := otelmiddleware.NewTaskObserver(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"), nil)
	require.NoError(t, err)
	for i := range 5000 {
		_, ended := observer.Running(t.Context(), middleware.TaskObservation{Task: "t", Queue: fmt.Sprint("q-", i), Run: 1, Waited: -1})
		ended(middleware.Succeeded, nil)
	}
	var collected metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &collected))
	points := collected.ScopeMetrics[0].Metrics[0].Data.(metricdata.Histogram[float64]).DataPoints
	assert.Len(t, points, 1001)
	var count uint64
	for _, p := range points {
		count += p.Count
	}
	assert.EqualValues(t, 5000, count)
}
