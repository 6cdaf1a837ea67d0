package main

// The library requires the lowest versions that its tests pass on. This module has the newest: `make test` runs the tests
// of these packages from here too.
import (
	_ "go.opentelemetry.io/otel/sdk/metric/metricdata"

	_ "github.com/machinery-envelope/machinery-envelope/envelope/cborcodec"
	_ "github.com/machinery-envelope/machinery-envelope/envelope/protocodec"
	_ "github.com/machinery-envelope/machinery-envelope/envelope/zstdencoding"
	_ "github.com/machinery-envelope/machinery-envelope/middleware/otelmiddleware"
)
