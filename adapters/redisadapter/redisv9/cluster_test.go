package redisv9_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"

	redisv8 "github.com/go-redis/redis/v8"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func TestClusterClientReachesEveryMasterWithItsOptions(t *testing.T) {
	username, password := "user-"+rand.Text(), rand.Text()
	addresses := services.RedisCluster(t)
	for _, address := range addresses {
		node := redis.NewClient(&redis.Options{Addr: address})
		defer node.Close()
		setUser(t, node, username, password)
	}
	name := "name-" + rand.Text()
	var connected atomic.Int32
	client := fromV9(t, redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:          addresses[:1],
		ClientName:     name,
		RouteByLatency: true,
		CredentialsProviderContext: func(context.Context) (string, string, error) {
			return username, password, nil
		},
		OnConnect: func(context.Context, *redis.Conn) error {
			connected.Add(1)
			return nil
		},
	})).(*redisv8.ClusterClient)

	for i := range 100 {
		key := fmt.Sprint("redisv9-", i)
		require.NoError(t, client.Set(t.Context(), key, i, 0).Err())
		require.NoError(t, client.Del(t.Context(), key).Err())
	}
	err := client.ForEachMaster(t.Context(), func(ctx context.Context, node *redisv8.Client) error {
		info, err := node.Do(ctx, "client", "info").Text()
		require.Contains(t, info, "user="+username+" ")
		require.Contains(t, info, "name="+name+" ")
		require.Contains(t, info, "flags=N ", "it reads from masters only")
		return err
	})
	require.NoError(t, err)
	require.GreaterOrEqual(t, int(connected.Load()), len(addresses))
}

func TestUniversalClientOfSeveralAddressesIsAClusterClient(t *testing.T) {
	client := fromV9(t, redis.NewUniversalClient(&redis.UniversalOptions{Addrs: services.RedisCluster(t)}))
	require.IsType(t, &redisv8.ClusterClient{}, client)
	require.NoError(t, client.Ping(t.Context()).Err())
}
