package otelmiddleware_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/middleware/otelmiddleware"
)

var (
	sent    = middleware.Observation{Task: "orders.ship", Type: "orders.Order", Bytes: 300, Duration: 250 * time.Millisecond}
	failure = middleware.Observation{Task: "orders.ship", Err: errors.New("s3cret")}

	ofTask  = attribute.NewSet(attribute.String("machinery.task.name", "orders.ship"))
	ofValue = attribute.NewSet(attribute.String("machinery.task.name", "orders.ship"), attribute.String("machinery.envelope.type", "orders.Order"))
)

// collect records observations and returns the metrics by their names.
func collect(t *testing.T, record func(middleware.Observer)) map[string]metricdata.Metrics {
	reader := sdkmetric.NewManualReader()
	observer, err := otelmiddleware.NewObserver(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"))
	require.NoError(t, err)
	record(observer)
	var collected metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &collected))
	metrics := make(map[string]metricdata.Metrics)
	for _, m := range collected.ScopeMetrics[0].Metrics {
		metrics[m.Name] = m
	}
	return metrics
}

func assertCount(t *testing.T, want int64, attributes attribute.Set, got metricdata.Metrics) {
	t.Helper()
	points := got.Data.(metricdata.Sum[int64]).DataPoints
	require.Len(t, points, 1)
	assert.Equal(t, want, points[0].Value)
	assert.Equal(t, attributes, points[0].Attributes)
}

func TestEnvelopesAreCountedTimedAndMeasured(t *testing.T) {
	for name, c := range map[string]struct {
		observe func(middleware.Observer, context.Context, middleware.Observation)
		done    string
		doing   string
	}{
		"sent":     {middleware.Observer.Sent, "sent", "send"},
		"restored": {middleware.Observer.Restored, "restored", "restore"},
	} {
		t.Run(name, func(t *testing.T) {
			metrics := collect(t, func(o middleware.Observer) {
				c.observe(o, t.Context(), sent)
				c.observe(o, t.Context(), sent)
			})
			require.Len(t, metrics, 3)
			assertCount(t, 2, ofValue, metrics["machinery.envelope."+c.done])

			duration := metrics["machinery.envelope."+c.doing+".duration"]
			seconds := duration.Data.(metricdata.Histogram[float64]).DataPoints[0]
			assert.Equal(t, "s", duration.Unit)
			assert.InDelta(t, 0.5, seconds.Sum, 1e-9)
			assert.Equal(t, ofValue, seconds.Attributes)

			size := metrics["machinery.envelope."+c.doing+".size"]
			bytes := size.Data.(metricdata.Histogram[int64]).DataPoints[0]
			assert.Equal(t, "By", size.Unit)
			assert.Equal(t, int64(600), bytes.Sum)
			assert.Equal(t, ofValue, bytes.Attributes)
		})
	}
}

func TestFailuresAreCountedByTaskWithoutTheirError(t *testing.T) {
	metrics := collect(t, func(o middleware.Observer) { o.Failed(t.Context(), failure) })
	require.Len(t, metrics, 1)
	assertCount(t, 1, ofTask, metrics["machinery.envelope.failed"])
}

// refusing is a meter that makes no histograms.
type refusing struct{ noop.Meter }

var errRefused = errors.New("refused")

func (refusing) Int64Histogram(string, ...metric.Int64HistogramOption) (metric.Int64Histogram, error) {
	return nil, errRefused
}

func TestAMeterThatRefusesAnInstrumentIsReported(t *testing.T) {
	_, err := otelmiddleware.NewObserver(refusing{})
	assert.ErrorIs(t, err, errRefused)
}

func TestBaggageAndTraceCrossTogetherAlongAChain(t *testing.T) {
	both := propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	_, m, err := newServer(middleware.WithPropagator(otelmiddleware.Propagator(both)))
	require.NoError(t, err)
	var traces []trace.TraceID
	var tenants []string
	require.NoError(t, m.RegisterTask("t", func(ctx context.Context) error {
		traces = append(traces, trace.SpanContextFromContext(ctx).TraceID())
		tenants = append(tenants, baggage.FromContext(ctx).Member("tenant").Value())
		return nil
	}))
	member, err := baggage.NewMember("tenant", "acme")
	require.NoError(t, err)
	bag, err := baggage.New(member)
	require.NoError(t, err)
	id := trace.TraceID{1}
	ctx := baggage.ContextWithBaggage(t.Context(), bag)
	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{1}}))
	chain, err := tasks.NewChain(&tasks.Signature{Name: "t"}, &tasks.Signature{Name: "t"})
	require.NoError(t, err)
	_, err = m.SendChain(ctx, chain)
	require.NoError(t, err)
	assert.Equal(t, []trace.TraceID{id, id}, traces)
	assert.Equal(t, []string{"acme", "acme"}, tenants)
}

func TestMalformedTraceHeadersLeaveATaskWithoutATrace(t *testing.T) {
	for _, header := range []any{"", "00-zz-1-01", "\xff", "00-" + string(make([]byte, 1<<16)), 7, nil, []string{"x"}} {
		_, m, err := newServer(middleware.WithPropagator(otelmiddleware.Propagator(propagation.TraceContext{})))
		require.NoError(t, err)
		ran := false
		require.NoError(t, m.RegisterTask("t", func(ctx context.Context) error {
			ran = true
			assert.False(t, trace.SpanContextFromContext(ctx).IsValid())
			return nil
		}))
		_, err = m.SendTask(t.Context(), &tasks.Signature{Name: "t", Headers: tasks.Headers{"traceparent": header, "tracestate": header}})
		require.NoError(t, err)
		assert.True(t, ran)
	}
}
