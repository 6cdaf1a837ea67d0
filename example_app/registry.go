package main

import (
	"github.com/machinery-envelope/machinery-envelope/envelope"

	"github.com/machinery-envelope/machinery-envelope/example_app/tsp"
)

// newRegistry names the types that the tasks take and return. Sender and workers each make one of their own.
func newRegistry(options ...envelope.Option) (*envelope.Registry, error) {
	r := envelope.NewRegistry(options...)
	if err := envelope.RegisterInterface[tsp.Strategy](r, "tsp.Strategy"); err != nil {
		return nil, err
	}
	envelope.MustRegister[tsp.NearestNeighbour](r, "tsp.NearestNeighbour")
	envelope.MustRegister[tsp.TwoOpt](r, "tsp.TwoOpt")
	envelope.MustRegister[tsp.OrOpt](r, "tsp.OrOpt")
	envelope.MustRegister[tsp.SimulatedAnnealing](r, "tsp.SimulatedAnnealing")
	envelope.MustRegister[Flaky](r, "tsp.Flaky")
	envelope.MustRegister[tsp.Problem](r, "tsp.Problem")
	envelope.MustRegister[Found](r, "tsp.Found")
	envelope.MustRegister[Summary](r, "tsp.Summary")
	envelope.MustRegister[Report](r, "tsp.Report")
	envelope.MustRegister[tsp.NoSuchCity](r, "tsp.NoSuchCity")
	return r, r.Check()
}
