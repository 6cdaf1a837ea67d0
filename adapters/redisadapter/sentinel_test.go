package redisadapter_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// A master that is killed takes with it what it had not passed on to its replica: replication is asynchronous. So the
// tasks that are counted here are those that the replica is known to have. What happens to them during and after the
// failover must not be lost, and whoever waits for their results must get them.
func TestFailoverLosesNoTaskThatWasReplicated(t *testing.T) {
	t.Parallel()
	const count = 200
	sentinel := services.OwnRedisSentinel(t)
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		SentinelAddrs: sentinel.Addresses,
		MasterName:    sentinel.MasterName,
	})
	defer client.Close()
	cnf := &config.Config{DefaultQueue: "tasks", ResultsExpireIn: 600, NoUnixSignals: true}
	broker := redisadapter.NewBroker(cnf, client, redisadapter.WithHeartbeatTimeout(2*time.Second))
	backend := redisadapter.NewBackend(cnf, client, redisadapter.WithRetryTimeout(time.Minute))
	server := machinery.NewServer(cnf, broker, backend, eagerlock.New())
	m, err := middleware.Install(server, envelope.NewRegistry())
	require.NoError(t, err)

	failedOver := make(chan struct{})
	var runs sync.Map
	require.NoError(t, m.RegisterTask("double", func(n int64) (int64, error) {
		if n >= count/4 {
			<-failedOver // in the middle of the run
		}
		runs.Store(n, true)
		return 2 * n, nil
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var results []middleware.Result
	for n := range int64(count) {
		signature, err := m.Signature(ctx, "double", n)
		require.NoError(t, err)
		signature.UUID = fmt.Sprint("double-", n)
		result, err := server.SendTaskWithContext(ctx, signature)
		require.NoError(t, err)
		results = append(results, result)
	}

	worker := m.NewWorker("worker", 8)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	var waiting sync.WaitGroup
	for n, result := range results {
		waiting.Go(func() {
			doubled, err := middleware.Await[int64](ctx, m, result)
			assert.NoError(t, err)
			assert.EqualValues(t, 2*n, doubled)
		})
	}
	eventually(t, func() bool {
		state, err := backend.GetState(fmt.Sprint("double-", count/4))
		return err == nil && state.State == tasks.StateStarted
	})
	eventually(t, func() bool { return onReplica(ctx, client) == nil })
	sentinel.KillMaster(t)
	close(failedOver)
	waiting.Wait()
	for n := range int64(count) {
		_, ran := runs.Load(n)
		require.True(t, ran, "task %d", n)
	}
	worker.Quit()
	<-ended
}

// onReplica waits until the replica has what was written so far. WAIT waits for the last write of its own connection.
func onReplica(ctx context.Context, client *redis.Client) error {
	var replicas *redis.Cmd
	_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Set(ctx, "written", "", 0)
		replicas = pipe.Do(ctx, "wait", 1, 1000)
		return nil
	})
	if err == nil && replicas.Val() == int64(0) {
		err = errors.New("the replica lags behind")
	}
	return err
}
