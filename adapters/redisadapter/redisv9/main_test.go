package redisv9_test

import (
	"context"
	"crypto/rand"
	"os"
	"testing"
	"time"

	redisv8 "github.com/go-redis/redis/v8"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter/redisv9"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Machinery's server never ends its scheduler.
		goleak.IgnoreAnyFunction("github.com/robfig/cron/v3.(*Cron).run"),
		// Machinery's configuration imports a package that starts this one by being imported.
		goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"),
	)
}

// realRedis returns the options of the Redis that REDIS_URL names, and a client to look at it.
func realRedis(t *testing.T) (*redis.Options, *redis.Client) {
	url := os.Getenv("REDIS_URL")
	if url == "" {
		url = services.Redis(t)
	}
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	own := *options
	observer := redis.NewClient(&own)
	t.Cleanup(func() { require.NoError(t, observer.Close()) })
	return options, observer
}

// newUser makes a user with a password, who may do everything, for one test.
func newUser(t *testing.T, observer *redis.Client) (username, password string) {
	username, password = "user-"+rand.Text(), rand.Text()
	setUser(t, observer, username, password)
	t.Cleanup(func() { require.NoError(t, observer.ACLDelUser(context.Background(), username).Err()) })
	return username, password
}

func setUser(t *testing.T, node *redis.Client, username, password string) {
	require.NoError(t, node.ACLSetUser(t.Context(), username, "reset", "on", ">"+password, "~*", "&*", "+@all").Err())
}

// fromV9 closes the client that it makes after the test. That of v9 is closed at once, unless it has to stay open.
func fromV9(t *testing.T, client redis.UniversalClient) redisv8.UniversalClient {
	converted, err := redisv9.ClientFromV9(client)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, converted.Close()) })
	require.NoError(t, client.Close())
	return converted
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 2*time.Millisecond)
}
