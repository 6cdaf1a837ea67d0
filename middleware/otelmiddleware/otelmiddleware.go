// Package otelmiddleware connects the middleware with OpenTelemetry: traces
// cross from sender to task, and envelopes are counted, timed and measured.
//
// Give both to Install, on senders and workers alike:
//
//	observer, err := otelmiddleware.NewObserver(otel.Meter("orders"))
//	m, err := middleware.Install(server, registry,
//		middleware.WithPropagator(otelmiddleware.Propagator(otel.GetTextMapPropagator())),
//		middleware.WithObserver(observer))
//
// The global propagator does nothing until the application has set one, such as propagation.TraceContext for the W3C
// trace context. From then on a span that a task starts from its context belongs to the trace of whoever sent the task.
//
// NewTaskObserver, in the place of NewObserver, follows tasks too, by metrics and by spans of sends and runs that are
// linked across the queue.
package otelmiddleware
