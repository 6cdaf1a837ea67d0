package redis_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// All workers share one client, whose pool is smaller than their number.
func TestThousandQueuesInOneProcessAreWorkedOn(t *testing.T) {
	t.Parallel()
	const queues, connections = 1000, 100
	s := startServer(t)
	client := redis.NewClient(&redis.Options{Addr: s.address, PoolSize: connections})
	t.Cleanup(func() { _ = client.Close() })
	cnf := &config.Config{DefaultQueue: queue, ResultsExpireIn: 3600, NoUnixSignals: true}
	broker := redisadapter.NewBroker(cnf, client, redisadapter.WithOwnSendersOnly())
	server := machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, client), eagerlock.New())
	var done atomic.Int64
	require.NoError(t, server.RegisterTask(stepTask, func() error {
		done.Add(1)
		return nil
	}))
	var workers []*machinery.Worker
	for i := range queues {
		name := fmt.Sprint(queue, "-", i)
		workers = append(workers, server.NewCustomQueueWorker(name, 1, name))
		_, err := server.SendTaskWithContext(context.Background(), &tasks.Signature{Name: stepTask, RoutingKey: name})
		require.NoError(t, err)
	}
	runHere(t, workers...)
	eventually(t, func() bool { return done.Load() == queues }, func() string {
		return fmt.Sprintf("%d of %d tasks are done", done.Load(), queues)
	})
}
