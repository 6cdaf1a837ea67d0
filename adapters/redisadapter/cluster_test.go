package redisadapter_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func newClusterClient(t *testing.T) *redis.ClusterClient {
	client := redisadapter.NewClusterClient(&redis.ClusterOptions{Addrs: services.RedisCluster(t)})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

func TestClusterClientAsksTheMasterOfEachKeyAtOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var nodes atomic.Int32
	client := redisadapter.NewClusterClient(&redis.ClusterOptions{
		Addrs:        services.RedisCluster(t),
		MaxRedirects: -1,
		NewClient: func(options *redis.Options) *redis.Client {
			nodes.Add(1)
			return redis.NewClient(options)
		},
	})
	defer client.Close()
	for i := range 100 {
		key := fmt.Sprint("cluster-client-", i)
		require.NoError(t, client.Set(ctx, key, i, 0).Err())
		require.NoError(t, client.Del(ctx, key).Err())
	}
	require.Positive(t, nodes.Load(), "the caller's NewClient was not asked")
}

func TestClusterClientReportsAnUnreachableCluster(t *testing.T) {
	t.Parallel()
	client := redisadapter.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}, MaxRetries: -1})
	defer client.Close()
	require.ErrorContains(t, client.Get(context.Background(), "key").Err(), "connection refused")
}
