package redisadapter_test

import (
	"context"
	"crypto/rand"
	"sync/atomic"
	"testing"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// backendSite is a Redis of some kind, with a prefix for keys that no other test uses.
type backendSite struct {
	client redis.UniversalClient
	cnf    *config.Config
	prefix string
}

// onEveryClient runs a test with each kind of client that a backend and a store may have.
func onEveryClient(t *testing.T, test func(t *testing.T, s *backendSite)) {
	t.Parallel()
	for _, kind := range []struct {
		name string
		dial func(t *testing.T) redis.UniversalClient
	}{
		{"embedded", func(t *testing.T) redis.UniversalClient { return dial(t, miniredis.RunT(t)) }},
		{"real", func(t *testing.T) redis.UniversalClient { return closing(t, redis.NewClient(realRedis(t))) }},
		{"sentinel", func(t *testing.T) redis.UniversalClient {
			sentinel := services.RedisSentinel(t)
			return closing(t, redis.NewFailoverClient(&redis.FailoverOptions{
				SentinelAddrs: sentinel.Addresses,
				MasterName:    sentinel.MasterName,
			}))
		}},
		{"cluster", func(t *testing.T) redis.UniversalClient { return newClusterClient(t) }},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			s := &backendSite{
				client: kind.dial(t),
				cnf:    newConfig(),
				prefix: "test-" + rand.Text() + ":",
			}
			t.Cleanup(func() { s.removeKeys(t) })
			test(t, s)
		})
	}
}

func dial(t *testing.T, server *miniredis.Miniredis) *redis.Client {
	return closing(t, redis.NewClient(&redis.Options{Addr: server.Addr()})).(*redis.Client)
}

func closing(t *testing.T, client redis.UniversalClient) redis.UniversalClient {
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// removeKeys leaves a Redis that may not be ours as it was.
func (s *backendSite) removeKeys(t *testing.T) {
	client, single := s.client.(*redis.Client)
	if !single {
		return
	}
	ctx := context.Background()
	keys := client.Scan(ctx, 0, s.prefix+"*", 1000).Iterator()
	for keys.Next(ctx) {
		require.NoError(t, client.Del(ctx, keys.Val()).Err())
	}
	require.NoError(t, keys.Err())
}

func newConfig() *config.Config { return &config.Config{ResultsExpireIn: resultsExpireIn} }

// impatient is a client that leaves it to others to try again. It counts how often it is asked.
func impatient(t *testing.T, server *miniredis.Miniredis) (redis.UniversalClient, *atomic.Int32) {
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
	var asked counter
	client.AddHook(&asked)
	return closing(t, client), &asked.Int32
}

// counter counts commands and pipelines.
type counter struct{ atomic.Int32 }

func (c *counter) BeforeProcess(ctx context.Context, _ redis.Cmder) (context.Context, error) {
	c.Add(1)
	return ctx, nil
}

func (c *counter) BeforeProcessPipeline(ctx context.Context, _ []redis.Cmder) (context.Context, error) {
	c.Add(1)
	return ctx, nil
}

func (*counter) AfterProcess(context.Context, redis.Cmder) error { return nil }

func (*counter) AfterProcessPipeline(context.Context, []redis.Cmder) error { return nil }
