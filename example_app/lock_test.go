package main

import (
	"testing"

	"github.com/RichardKnop/machinery/v2"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	eagerbroker "github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/middleware/wirelock"
)

func TestWire(t *testing.T) {
	t.Parallel()
	registry, err := newRegistry()
	require.NoError(t, err)
	server := machinery.NewServer(&config.Config{NoUnixSignals: true}, eagerbroker.New(), eagerbackend.New(), eagerlock.New())
	m, err := middleware.Install(server, registry)
	require.NoError(t, err)
	require.NoError(t, m.RegisterTasks(newTasks("worker", func(Found) {})))
	wirelock.Check(t, m.Schema(), "testdata/wire.lock")
}
