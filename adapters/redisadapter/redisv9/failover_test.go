package redisv9_test

import (
	"context"
	"crypto/rand"
	"testing"

	redisv8 "github.com/go-redis/redis/v8"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter/redisv9"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func failoverFromV9(t *testing.T, options *redis.FailoverOptions) *redisv8.Client {
	client, err := redisv9.FailoverClientFromV9(options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// Both ways lead to the master, and to its replica when that has taken over.
func TestFailoverIsFollowed(t *testing.T) {
	sentinel := services.OwnRedisSentinel(t)
	options := func() *redis.FailoverOptions {
		return &redis.FailoverOptions{SentinelAddrs: sentinel.Addresses, MasterName: sentinel.MasterName}
	}
	v9 := redis.NewFailoverClient(options())
	defer v9.Close()
	shown, err := redisv9.ClientFromV9(v9)
	require.NoError(t, err)
	defer shown.Close()
	routed := redis.NewFailoverClusterClient(options())
	defer routed.Close()
	slots, err := redisv9.ClientFromV9(routed)
	require.NoError(t, err)
	defer slots.Close()

	clients := map[string]redisv8.UniversalClient{
		"of the client":             shown,
		"of the cluster client":     slots,
		"of the failover's options": failoverFromV9(t, options()),
	}
	for name, client := range clients {
		require.NoError(t, client.Set(t.Context(), name, "before", 0).Err(), name)
	}
	sentinel.KillMaster(t)
	for name, client := range clients {
		eventually(t, func() bool { return client.Set(t.Context(), name, "after", 0).Err() == nil })
		require.Equal(t, "after", client.Get(t.Context(), name).Val(), name)
	}
}

func TestFailoverOptionsAreCarriedOver(t *testing.T) {
	sentinel := services.OwnRedisSentinel(t)
	master := redis.NewFailoverClient(&redis.FailoverOptions{
		SentinelAddrs: sentinel.Addresses, MasterName: sentinel.MasterName,
	})
	defer master.Close()
	watcher := redis.NewClient(&redis.Options{Addr: sentinel.Addresses[0], Protocol: 2, DisableIdentity: true})
	defer watcher.Close()
	username, password, name := "user-"+rand.Text(), rand.Text(), "name-"+rand.Text()
	setUser(t, master, username, password)
	setUser(t, watcher, "sentinel-"+username, "sentinel-"+password)
	require.NoError(t, watcher.Do(t.Context(), "acl", "setuser", "default", "-@all", "+acl", "+client").Err())

	options := redis.FailoverOptions{
		SentinelAddrs:    sentinel.Addresses,
		MasterName:       sentinel.MasterName,
		SentinelUsername: "sentinel-" + username,
		SentinelPassword: "sentinel-" + password,
		ClientName:       name,
		DB:               2,
		PoolSize:         4,
	}
	fixed, provided, withContext := options, options, options
	fixed.Username, fixed.Password = username, password
	provided.CredentialsProvider = func() (string, string) { return username, password }
	withContext.CredentialsProviderContext = func(context.Context) (string, string, error) {
		return username, password, nil
	}
	for _, options := range []*redis.FailoverOptions{&fixed, &provided, &withContext} {
		client := failoverFromV9(t, options)
		info, err := client.Do(t.Context(), "client", "info").Text()
		require.NoError(t, err)
		require.Contains(t, info, "user="+username+" ")
		require.Contains(t, info, "name="+name+" ")
		require.Contains(t, info, "db=2 ")
		require.Equal(t, 4, client.Options().PoolSize)

		v9 := redis.NewFailoverClient(options)
		defer v9.Close()
		shown, err := redisv9.ClientFromV9(v9)
		require.NoError(t, err)
		defer shown.Close()
		info, err = shown.Do(t.Context(), "client", "info").Text()
		require.NoError(t, err)
		require.Contains(t, info, "user="+username+" ")
		require.Contains(t, info, "db=2 ")
	}
}

func TestFailoverOptionsThatCannotBeCarriedOverAreNamed(t *testing.T) {
	for name, options := range map[string]*redis.FailoverOptions{
		"nil options":                  nil,
		"OnConnect":                    {OnConnect: func(context.Context, *redis.Conn) error { return nil }},
		"ReplicaOnly":                  {ReplicaOnly: true},
		"RouteByLatency":               {RouteByLatency: true},
		"RouteRandomly":                {RouteRandomly: true},
		"StreamingCredentialsProvider": {StreamingCredentialsProvider: streaming{}},
	} {
		_, err := redisv9.FailoverClientFromV9(options)
		require.ErrorIs(t, err, redisv9.ErrUnsupported)
		require.ErrorContains(t, err, name)
	}
}
