package redis_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// A client tries four of its connections. Where all have ended that is what it says of the result, which is no reason
// not to keep it, nor to drop what follows the task.
func TestResultIsKeptThoughEveryConnectionHasEnded(t *testing.T) {
	t.Parallel()
	const connections = 8
	s := startServer(t)
	client, admin := s.dial(), s.dial()
	cnf := &config.Config{DefaultQueue: queue, ResultsExpireIn: 3600, NoUnixSignals: true}
	broker := redisadapter.NewBroker(cnf, s.dial())
	backend := redisadapter.NewBackend(cnf, client, redisadapter.WithRetryTimeout(0))
	m, err := middleware.Install(machinery.NewServer(cnf, broker, backend, eagerlock.New()), envelope.NewRegistry())
	require.NoError(t, err)
	require.NoError(t, m.RegisterTask("first", func(ctx context.Context) (string, error) {
		var open sync.WaitGroup
		for range connections {
			open.Go(func() { client.BLPop(ctx, time.Second, "nothing") })
		}
		open.Wait()
		return "kept", admin.ClientKillByFilter(ctx, "TYPE", "normal", "SKIPME", "yes").Err()
	}))
	require.NoError(t, m.RegisterTask("second", func(got string) (string, error) { return got, nil }))
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var steps []*tasks.Signature
	for _, name := range []string{"first", "second"} {
		step, err := m.Signature(ctx, name)
		require.NoError(t, err)
		steps = append(steps, step)
	}
	chain, err := tasks.NewChain(steps...)
	require.NoError(t, err)
	result, err := m.SendChain(ctx, chain)
	require.NoError(t, err)
	runHere(t, m.NewWorker("worker", 1))
	got, err := middleware.Await[string](ctx, m, result)
	require.NoError(t, err)
	require.Equal(t, "kept", got)
}
