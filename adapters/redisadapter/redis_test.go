package redisadapter_test

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

const (
	// timeout bounds every wait for something that has to happen, on a machine that is busy with other things.
	timeout = 2 * time.Minute
	// glance is how long a test watches for something that must not happen.
	glance = 100 * time.Millisecond
	tick   = 2 * time.Millisecond
	// resultsExpireIn is in seconds. No test lasts as long, on a busy machine either.
	resultsExpireIn = 600
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

// processor is a worker without Machinery's server.
type processor struct {
	queue      string
	process    func(*tasks.Signature) error
	preConsume func() bool
}

func (p *processor) Process(signature *tasks.Signature) error { return p.process(signature) }
func (p *processor) CustomQueue() string                      { return p.queue }
func (p *processor) PreConsumeHandler() bool                  { return p.preConsume == nil || p.preConsume() }

// journal keeps what a processor was given, in order.
type journal struct {
	mu   sync.Mutex
	seen []*tasks.Signature
}

func (j *journal) add(signature *tasks.Signature) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen = append(j.seen, signature)
	return nil
}

func (j *journal) signatures() []*tasks.Signature {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]*tasks.Signature(nil), j.seen...)
}

func (j *journal) uuids() []string {
	var uuids []string
	for _, signature := range j.signatures() {
		uuids = append(uuids, signature.UUID)
	}
	return uuids
}

// distinct returns the UUIDs of the tasks seen. A worker that a busy machine keeps from its heartbeats has its tasks run
// elsewhere too.
func (j *journal) distinct() map[string]bool {
	found := make(map[string]bool)
	for _, uuid := range j.uuids() {
		found[uuid] = true
	}
	return found
}

// awaitUUIDs waits until exactly these tasks were seen, in this order.
func (j *journal) awaitUUIDs(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, func() bool { return len(j.uuids()) >= len(want) })
	require.Equal(t, want, j.uuids())
}

// work consumes as Machinery's worker does, until the broker stops; the channel is closed then.
func work(t *testing.T, broker brokersiface.Broker, concurrency int, p *processor) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for retry := true; retry; {
			retry, _ = broker.StartConsuming("worker", concurrency, p)
		}
	}()
	t.Cleanup(func() {
		broker.StopConsuming()
		<-ended
	})
	return ended
}

func publish(t *testing.T, broker brokersiface.Broker, signatures ...*tasks.Signature) {
	t.Helper()
	for _, signature := range signatures {
		require.NoError(t, broker.Publish(context.Background(), signature))
	}
}

func task(name, uuid string, args ...tasks.Arg) *tasks.Signature {
	return &tasks.Signature{Name: name, UUID: uuid, Args: args}
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, timeout, tick)
}

func closed(done <-chan struct{}) func() bool {
	return func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
}

func (s *site) queued(t *testing.T) int {
	length, err := s.client.LLen(context.Background(), s.cnf.DefaultQueue).Result()
	require.NoError(t, err)
	return int(length)
}
