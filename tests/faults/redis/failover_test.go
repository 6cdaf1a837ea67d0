package redis_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// Replication is asynchronous, so what is counted here was replicated before. Each failover makes the other server the
// master.
func TestRepeatedFailoversLoseNoTaskThatWasReplicated(t *testing.T) {
	t.Parallel()
	const failovers, many = 2, 300
	sentinel := services.OwnRedisSentinel(t)
	client := redis.NewFailoverClient(&redis.FailoverOptions{SentinelAddrs: sentinel.Addresses, MasterName: sentinel.MasterName})
	t.Cleanup(func() { _ = client.Close() })
	watcher := redis.NewSentinelClient(&redis.Options{Addr: sentinel.Addresses[0]})
	t.Cleanup(func() { _ = watcher.Close() })
	sender, err := newMiddleware(client, client)
	require.NoError(t, err)
	r := runOf(t, client, sender)
	for chain := range many {
		r.send(chain)
	}
	ctx := context.Background()
	eventually(t, func() bool { return replicated(ctx, client) == nil }, func() string { return "the replica lags behind" })
	worker, err := newWorker(client, client)
	require.NoError(t, err)
	runHere(t, worker)
	for i := range failovers {
		r.awaitDone((i + 1) * len(r.sent) / (failovers + 2))
		before := master(ctx, watcher, sentinel.MasterName)
		eventually(t, func() bool { return watcher.Failover(ctx, sentinel.MasterName).Err() == nil }, func() string {
			return "Sentinel has no replica to fail over to"
		})
		eventually(t, func() bool { return master(ctx, watcher, sentinel.MasterName) != before }, func() string {
			return "it does not fail over"
		})
	}
	r.awaitAll()
	r.requireNoLetters()
}

func master(ctx context.Context, sentinel *redis.SentinelClient, name string) string {
	address, err := sentinel.GetMasterAddrByName(ctx, name).Result()
	if err != nil || len(address) != 2 {
		return ""
	}
	return net.JoinHostPort(address[0], address[1])
}

// replicated waits until the replica has what was written so far. WAIT waits for the last write of its own connection.
func replicated(ctx context.Context, client *redis.Client) error {
	var replicas *redis.Cmd
	_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Set(ctx, "written", "", 0)
		replicas = pipe.Do(ctx, "wait", 1, time.Second.Milliseconds())
		return nil
	})
	if err == nil && replicas.Val() == int64(0) {
		err = errors.New("the replica lags behind")
	}
	return err
}
