package redisadapter_test

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// The test would time out if a full Redis were waited for.
func TestSenderIsToldAtOnceThatRedisIsFull(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client, _ := impatient(t, server)
	cnf := newConfig()
	cnf.DefaultQueue = "tasks"
	broker := redisadapter.NewBroker(cnf, client, redisadapter.WithPublishTimeout(time.Hour))
	backend := redisadapter.NewBackend(cnf, client, redisadapter.WithRetryTimeout(time.Hour))
	server.SetError("OOM command not allowed when used memory > 'maxmemory'.")
	require.ErrorContains(t, broker.Publish(context.Background(), task("add", "a")), "OOM")
	require.ErrorContains(t, backend.SetStatePending(task("add", "a")), "OOM")
}
