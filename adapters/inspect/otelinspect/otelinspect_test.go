package otelinspect_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect/otelinspect"
	"github.com/machinery-envelope/machinery-envelope/tests/inspecttest"
)

// told is a source with queues and nothing else.
type told struct {
	inspect.Source
	queues []inspect.Queue
	err    error
	asked  int
}

func (s *told) Name() string { return "told" }

func (s *told) Queues(context.Context) ([]inspect.Queue, error) {
	s.asked++
	return s.queues, s.err
}

// collect returns what is measured: by the metric's name, and that of the queue where there is one.
func collect(t *testing.T, reader *sdkmetric.ManualReader) (map[string]float64, error) {
	t.Helper()
	var collected metricdata.ResourceMetrics
	err := reader.Collect(t.Context(), &collected)
	values := map[string]float64{}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				addPoints(values, m.Name, data.DataPoints)
			case metricdata.Sum[int64]:
				addPoints(values, m.Name, data.DataPoints)
			case metricdata.Gauge[float64]:
				addPoints(values, m.Name, data.DataPoints)
			}
		}
	}
	return values, err
}

func addPoints[N int64 | float64](values map[string]float64, name string, points []metricdata.DataPoint[N]) {
	for _, p := range points {
		if queue, ok := p.Attributes.Value("messaging.destination.name"); ok {
			values[name+" "+queue.AsString()] = float64(p.Value)
			continue
		}
		source, _ := p.Attributes.Value("machinery.source.name")
		values[name+" "+source.AsString()] = float64(p.Value)
	}
}

func observe(t *testing.T, sources ...inspect.Source) (*sdkmetric.ManualReader, metric.Registration) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	registration, err := otelinspect.Observe(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"), sources...)
	require.NoError(t, err)
	return reader, registration
}

func TestWhatIsInTheQueuesIsMeasured(t *testing.T) {
	source := &told{queues: []inspect.Queue{
		{Name: "orders", Waiting: 3, Running: 2, PutBack: 1, Delayed: 4, Dead: 5, Workers: 6, Done: 7, Paused: true, Oldest: time.Now().Add(-time.Hour)},
		{Name: "idle"},
		{Name: "opaque", Waiting: 1, Running: inspect.Unknown, PutBack: inspect.Unknown, Delayed: inspect.Unknown, Dead: inspect.Unknown,
			Workers: inspect.Unknown, Done: inspect.Unknown},
	}}
	reader, registration := observe(t, source)
	values, err := collect(t, reader)
	require.NoError(t, err)
	assert.InDelta(t, 3600, values["machinery.queue.oldest_age orders"], 600)
	delete(values, "machinery.queue.oldest_age orders")
	assert.Equal(t, map[string]float64{
		"machinery.source.up told":     1,
		"machinery.queue.depth orders": 3, "machinery.queue.running orders": 2, "machinery.queue.put_back orders": 1,
		"machinery.queue.delayed orders": 4, "machinery.queue.dead orders": 5, "machinery.queue.workers orders": 6,
		"machinery.queue.done orders": 7, "machinery.queue.paused orders": 1,
		"machinery.queue.depth idle": 0, "machinery.queue.running idle": 0, "machinery.queue.put_back idle": 0,
		"machinery.queue.delayed idle": 0, "machinery.queue.dead idle": 0, "machinery.queue.workers idle": 0,
		"machinery.queue.paused idle": 0, "machinery.queue.oldest_age idle": 0,
		"machinery.queue.depth opaque": 1, "machinery.queue.paused opaque": 0,
	}, values)
	assert.Equal(t, 1, source.asked)

	require.NoError(t, registration.Unregister())
	values, err = collect(t, reader)
	require.NoError(t, err)
	assert.Empty(t, values)
}

func TestASourceThatFailsKeepsNoOtherFromBeingMeasured(t *testing.T) {
	down := errors.New("down")
	other := inspecttest.New("memory")
	other.AddQueue("orders")
	reader, _ := observe(t, &told{err: down}, other)
	values, err := collect(t, reader)
	require.ErrorContains(t, err, down.Error())
	assert.Equal(t, []float64{0, 1, 0}, []float64{values["machinery.source.up told"], values["machinery.source.up memory"], values["machinery.queue.depth orders"]})
	assert.Contains(t, values, "machinery.queue.depth orders")
	assert.NotContains(t, fmt.Sprint(values), "depth told")
}

type refusing struct{ noop.Meter }

var errRefused = errors.New("refused")

func (refusing) Float64ObservableGauge(string, ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	return nil, errRefused
}

func TestAMeterThatRefusesAnInstrumentIsReported(t *testing.T) {
	_, err := otelinspect.Observe(refusing{})
	assert.ErrorIs(t, err, errRefused)
}

// Whatever reads the application's metrics sees how much is in its queues.
func ExampleObserve() {
	source := inspecttest.New("redis") // an application has redisadapter.NewSource or amqpadapter.NewSource
	source.AddQueue("orders")
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("orders")
	registration, err := otelinspect.Observe(meter, source)
	if err != nil {
		panic(err)
	}
	defer registration.Unregister()

	var collected metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &collected); err != nil {
		panic(err)
	}
	depth := collected.ScopeMetrics[0].Metrics[0]
	fmt.Println(depth.Name, depth.Data.(metricdata.Gauge[int64]).DataPoints[0].Value)
	// Output: machinery.queue.depth 0
}
