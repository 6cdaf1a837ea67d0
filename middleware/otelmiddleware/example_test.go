package otelmiddleware_test

import (
	"context"
	"fmt"

	"github.com/RichardKnop/machinery/v2"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/middleware/otelmiddleware"
)

type Order struct{ ID string }

// newServer makes a server that has the middleware and runs tasks in place.
func newServer(opts ...middleware.Option) (*machinery.Server, *middleware.Middleware, error) {
	registry := envelope.NewRegistry()
	envelope.MustRegister[Order](registry, "orders.Order")
	server := machinery.NewServer(&config.Config{}, eager.New(), eagerbackend.New(), eagerlock.New())
	m, err := middleware.Install(server, registry, opts...)
	if err != nil {
		return nil, nil, err
	}
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("worker", 1))
	return server, m, nil
}

// A task belongs to the trace of whoever sent it: the W3C trace context travels in its headers.
func ExamplePropagator() {
	_, m, err := newServer(middleware.WithPropagator(otelmiddleware.Propagator(propagation.TraceContext{})))
	if err != nil {
		panic(err)
	}
	err = m.RegisterTask("orders.ship", func(ctx context.Context, o Order) error {
		sender := trace.SpanContextFromContext(ctx)
		fmt.Println(tasks.SignatureFromContext(ctx).Headers["traceparent"])
		fmt.Println(sender.TraceID(), sender.IsRemote())
		return nil
	})
	if err != nil {
		panic(err)
	}

	// An application has this from its tracer: ctx, span := tracer.Start(ctx, "checkout").
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0xab, 15: 1}, SpanID: trace.SpanID{0xcd, 7: 2}, TraceFlags: trace.FlagsSampled,
	}))
	signature, err := m.Signature(ctx, "orders.ship", Order{ID: "o-1"})
	if err != nil {
		panic(err)
	}
	if _, err := m.SendTask(ctx, signature); err != nil {
		panic(err)
	}
	// Output:
	// 00-ab000000000000000000000000000001-cd00000000000002-01
	// ab000000000000000000000000000001 true
}

// Metrics go to whichever reader the application has.
func ExampleNewObserver() {
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("orders")
	observer, err := otelmiddleware.NewObserver(meter)
	if err != nil {
		panic(err)
	}
	_, m, err := newServer(middleware.WithObserver(observer))
	if err != nil {
		panic(err)
	}
	if err := m.RegisterTask("orders.ship", func(o Order) error { return nil }); err != nil {
		panic(err)
	}

	ctx := context.Background()
	signature, err := m.Signature(ctx, "orders.ship", Order{ID: "o-1"})
	if err != nil {
		panic(err)
	}
	if _, err := m.SendTask(ctx, signature); err != nil {
		panic(err)
	}
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &collected); err != nil {
		panic(err)
	}
	for _, metric := range collected.ScopeMetrics[0].Metrics {
		fmt.Printf("%s in %s\n", metric.Name, metric.Unit)
	}
	// Unordered output:
	// machinery.envelope.sent in {envelope}
	// machinery.envelope.send.duration in s
	// machinery.envelope.send.size in By
	// machinery.envelope.restored in {envelope}
	// machinery.envelope.restore.duration in s
	// machinery.envelope.restore.size in By
}
