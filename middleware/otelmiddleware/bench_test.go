package otelmiddleware_test

import (
	"io"
	stdlog "log"
	"testing"

	"github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/middleware/otelmiddleware"
)

// BenchmarkTask sends a task and runs it in place: what an observer adds is what it costs a task, on a sender and a worker
// together. On Redis a task takes some 90 µs.
func BenchmarkTask(b *testing.B) {
	silent := stdlog.New(io.Discard, "", 0)
	log.SetDebug(silent)
	log.SetInfo(silent)
	for _, c := range []struct {
		name     string
		observed bool
		tracer   trace.Tracer
	}{
		{"alone", false, nil},
		{"metrics", true, nil},
		{"metrics and traces not sampled", true, sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())).Tracer("")},
		{"metrics and traces", true, sdktrace.NewTracerProvider().Tracer("")},
	} {
		b.Run(c.name, func(b *testing.B) {
			var opts []middleware.Option
			if c.observed {
				meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())).Meter("")
				observer, err := otelmiddleware.NewTaskObserver(meter, c.tracer)
				require.NoError(b, err)
				opts = append(opts, middleware.WithObserver(observer), middleware.WithPropagator(otelmiddleware.Propagator(propagation.TraceContext{})))
			}
			_, m, err := newServer(opts...)
			require.NoError(b, err)
			require.NoError(b, m.RegisterTask("t", func(int64) error { return nil }))
			b.ReportAllocs()
			for b.Loop() {
				_, err := m.SendTask(b.Context(), &tasks.Signature{Name: "t", RoutingKey: "q", Args: []tasks.Arg{{Type: "int64", Value: int64(1)}}})
				require.NoError(b, err)
			}
		})
	}
}
