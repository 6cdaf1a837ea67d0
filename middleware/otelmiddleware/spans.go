package otelmiddleware

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// start begins a span, or returns nil where there is no tracer. That of a run is linked to the span of its send.
func (o *taskObserver) start(ctx context.Context, operation string, t middleware.TaskObservation, kind trace.SpanKind) (context.Context, trace.Span) {
	if o.tracer == nil {
		return ctx, nil
	}
	options := []trace.SpanStartOption{trace.WithSpanKind(kind), trace.WithAttributes(systemKey.String(system),
		operationKey.String(operation), kindKey.String(operation), destinationKey.String(t.Queue), messageKey.String(t.UUID),
		taskKey.String(t.Task), runKey.Int(t.Run))}
	if sender := trace.SpanContextFromContext(ctx); kind == trace.SpanKindConsumer && sender.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: sender}))
	}
	return o.tracer.Start(ctx, operation+" "+t.Queue, options...)
}

// end ends a span, if there is one, without the text of an error.
func end(span trace.Span, err error) {
	if span == nil {
		return
	}
	if err != nil {
		span.SetAttributes(errorKey.String(errorType(err)))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// errorType names the innermost kind of an error: those around it only say where it was.
func errorType(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return fmt.Sprintf("%T", err)
		}
		err = inner
	}
}
