package otelmiddleware

import (
	"context"

	"go.opentelemetry.io/otel/propagation"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Propagator makes one of OpenTelemetry's propagators carry what it carries in
// the headers of tasks: propagation.TraceContext the W3C trace context,
// propagation.Baggage the baggage, a composite one all that it is made of.
func Propagator(p propagation.TextMapPropagator) middleware.Propagator { return propagator{p} }

type propagator struct{ textMap propagation.TextMapPropagator }

func (p propagator) Inject(ctx context.Context, carrier middleware.Carrier) {
	p.textMap.Inject(ctx, carrier)
}

func (p propagator) Extract(ctx context.Context, carrier middleware.Carrier) context.Context {
	return p.textMap.Extract(ctx, carrier)
}
