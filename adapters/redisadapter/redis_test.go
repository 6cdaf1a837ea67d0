package redisadapter_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

const (
	// timeout bounds every wait for something that has to happen, on a machine that is busy with other things.
	timeout = 5 * time.Minute
	// glance is how long a test watches for something that must not happen.
	glance = 100 * time.Millisecond
	tick   = 2 * time.Millisecond
	// resultsExpireIn is in seconds. No test lasts as long, on a busy machine either.
	resultsExpireIn = 600
)

type (
	processor = adaptertest.Processor
	journal   = adaptertest.Journal
)

var (
	work       = adaptertest.Work
	publish    = adaptertest.Publish
	task       = adaptertest.Task
	routed     = adaptertest.Routed
	newLatch   = adaptertest.NewLatch
	eventually = adaptertest.Eventually
	await      = adaptertest.Await[struct{}]
)

func TestMain(m *testing.M) { adaptertest.Main(m) }

// site is a Redis to test on, with a configuration whose keys no other test uses.
type site struct {
	client  redis.UniversalClient
	options *redis.Options // nil in a cluster
	cnf     *config.Config
	name    string
}

func newSite(t *testing.T, options *redis.Options) *site {
	name := "test-" + rand.Text()
	options.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		return conn.ClientSetName(ctx, name).Err()
	}
	s := newSiteOn(t, name, redis.NewClient(options))
	s.options = options
	return s
}

func newSiteOn(t *testing.T, name string, client redis.UniversalClient) *site {
	s := &site{
		client: client,
		name:   name,
		cnf:    configOf(name),
	}
	t.Cleanup(func() {
		s.removeKeys()
		require.NoError(t, s.client.Close())
	})
	return s
}

func configOf(name string) *config.Config {
	return &config.Config{
		DefaultQueue:    name + ":tasks",
		ResultsExpireIn: resultsExpireIn,
		Redis: &config.RedisConfig{
			DelayedTasksKey:        name + ":delayed",
			DelayedTasksPollPeriod: 10,
		},
	}
}

// removeKeys leaves a Redis that is not ours as it was.
func (s *site) removeKeys() {
	removeFrom := func(ctx context.Context, node *redis.Client) error {
		keys := node.Scan(ctx, 0, "*"+s.name+"*", 1000).Iterator()
		for keys.Next(ctx) {
			node.Del(ctx, keys.Val())
		}
		return keys.Err()
	}
	switch client := s.client.(type) {
	case *redis.Client:
		_ = removeFrom(context.Background(), client)
	case *redis.ClusterClient:
		_ = client.ForEachMaster(context.Background(), removeFrom)
	}
}

func embedded(t *testing.T) (*site, *miniredis.Miniredis) {
	server := miniredis.RunT(t)
	return newSite(t, &redis.Options{Addr: server.Addr()}), server
}

// onEveryRedis runs a test on the embedded Redis and on a real one, at the same time and beside other tests: an idle
// worker takes a second to stop.
func onEveryRedis(t *testing.T, test func(t *testing.T, s *site)) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		s, _ := embedded(t)
		test(t, s)
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		test(t, newSite(t, realRedis(t)))
	})
}

// onEveryTopology runs a test on a Redis Cluster too.
func onEveryTopology(t *testing.T, test func(t *testing.T, s *site)) {
	onEveryRedis(t, test)
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		test(t, newSiteOn(t, "test-"+rand.Text(), newClusterClient(t)))
	})
}

func realRedis(t testing.TB) *redis.Options {
	t.Helper()
	options, err := redis.ParseURL(services.Redis(t))
	require.NoError(t, err)
	return options
}

// distinct returns the UUIDs of the tasks seen. A worker that a busy machine keeps from its heartbeats has its tasks run
// elsewhere too.
func distinct(seen *journal) map[string]bool {
	found := make(map[string]bool)
	for _, uuid := range seen.UUIDs() {
		found[uuid] = true
	}
	return found
}

func closed(done <-chan struct{}) func() bool {
	return func() bool { return adaptertest.Closed(done) }
}

func (s *site) queued(t *testing.T) int {
	length, err := s.client.LLen(context.Background(), s.cnf.DefaultQueue).Result()
	require.NoError(t, err)
	return int(length)
}
