package backends_test

import (
	"testing"

	"github.com/RichardKnop/machinery/v2"
	nullbackend "github.com/RichardKnop/machinery/v2/backends/null"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

type order struct{ ID string }

// Nobody can await a result there, so the conformance suite cannot run: a chain shows that tasks do.
func TestTasksRunOnTheNullBackend(t *testing.T) {
	cnf := &config.Config{DefaultQueue: "null-" + uuid.NewString(), NoUnixSignals: true}
	server := machinery.NewServer(cnf, redisadapter.NewBroker(cnf, embeddedRedis(t)), nullbackend.New(), eagerlock.New())
	registry := envelope.NewRegistry()
	envelope.MustRegister[order](registry, "orders.Order")
	m, err := middleware.Install(server, registry)
	require.NoError(t, err)
	received := make(chan order, 1)
	require.NoError(t, m.RegisterTask("pass", func(o order) (order, error) { return o, nil }))
	require.NoError(t, m.RegisterTask("receive", func(o order) error {
		received <- o
		return nil
	}))
	worker, ended := m.NewWorker("null", 1), make(chan error, 1)
	worker.LaunchAsync(ended)
	t.Cleanup(func() {
		worker.Quit()
		<-ended
	})
	first, err := m.Signature(t.Context(), "pass", order{"o-1"})
	require.NoError(t, err)
	then, err := m.Signature(t.Context(), "receive")
	require.NoError(t, err)
	chain, err := tasks.NewChain(first, then)
	require.NoError(t, err)
	_, err = m.SendChain(t.Context(), chain)
	require.NoError(t, err)
	require.Equal(t, order{"o-1"}, <-received)
}
