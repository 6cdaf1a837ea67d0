package main

import "github.com/machinery-envelope/machinery-envelope/envelope"

// registry knows the types of all benchmarks. Its depth is that of the deepest value in BenchmarkLinearity.
var registry = newRegistry()

func newRegistry() *envelope.Registry {
	r := envelope.NewRegistry(envelope.WithLimits(envelope.Limits{MaxDepth: 1 << 20}))
	envelope.MustRegister[Order](r, "shop.Order")
	envelope.MustRegister[Page](r, "guide.Page")
	envelope.MustRegister[Paragraph](r, "guide.Paragraph")
	envelope.MustRegister[Image](r, "guide.Image")
	envelope.MustRegister[Table](r, "guide.Table")
	envelope.MustRegister[Chapter](r, "guide.Chapter")
	envelope.MustRegister[Line](r, "shop.Line")
	envelope.MustRegister[Node](r, "growth.Node")
	envelope.MustRegister[Box](r, "growth.Box")
	if err := envelope.RegisterInterface[Block](r, "guide.Block"); err != nil {
		panic(err)
	}
	if err := r.Check(); err != nil {
		panic(err)
	}
	return r
}
