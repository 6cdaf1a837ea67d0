package redisadapter_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func TestContract(t *testing.T) {
	adaptertest.Run(t, adaptertest.Adapter{
		ErrTooManyAttempts: redisadapter.ErrTooManyAttempts,
		ErrConfig:          redisadapter.ErrConfig,
		ErrClosed:          redisadapter.ErrClosed,
		ErrForeignBroker:   redisadapter.ErrForeignBroker,
		Quit:               redisadapter.Quit,
		Servers: []adaptertest.Server{
			contractServer("EmbeddedRedis", embeddedRedis, noOptions),
			contractServer("Redis", onlyRedis, noOptions),
			contractServer("Sentinel", redisSentinel, noOptions),
			contractServer("Cluster", redisCluster, noOptions),
			severalQueues(contractServer("RedisWithQueuesAndPriorities", onlyRedis, queuesAndPriorities)),
			severalQueues(contractServer("ClusterWithQueuesAndPriorities", redisCluster, queuesAndPriorities)),
			sharded(contractServer("EmbeddedRedisWithShards", embeddedRedis, shards)),
			sharded(contractServer("ClusterWithShards", redisCluster, shards)),
			contractServer("RedisWithLeastPermissions", leastPermissions, noOptions),
		},
	})
}

// A dialer is the Dialer of a client; nil is the client's own.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func embeddedRedis(t *testing.T) func(dialer) redis.UniversalClient {
	address := miniredis.RunT(t).Addr()
	return func(d dialer) redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: address, Dialer: d}) }
}

func onlyRedis(t *testing.T) func(dialer) redis.UniversalClient {
	url := services.Redis(t)
	return func(d dialer) redis.UniversalClient {
		options, err := redis.ParseURL(url)
		require.NoError(t, err)
		options.Dialer = d
		return redis.NewClient(options)
	}
}

func redisSentinel(t *testing.T) func(dialer) redis.UniversalClient {
	sentinel := services.RedisSentinel(t)
	return func(d dialer) redis.UniversalClient {
		return redis.NewFailoverClient(&redis.FailoverOptions{
			SentinelAddrs: sentinel.Addresses,
			MasterName:    sentinel.MasterName,
			Dialer:        d,
		})
	}
}

func redisCluster(t *testing.T) func(dialer) redis.UniversalClient {
	addresses := services.RedisCluster(t)
	return func(d dialer) redis.UniversalClient {
		return redisadapter.NewClusterClient(&redis.ClusterOptions{Addrs: addresses, Dialer: d})
	}
}

// contractSite has keys in a Redis that no other test uses.
type contractSite struct {
	cnf     *config.Config
	client  redis.UniversalClient // past the network
	through redis.UniversalClient
	network *adaptertest.Network
	options options  // of every broker
	lists   []string // of which the source is told
}

func severalQueues(server adaptertest.Server) adaptertest.Server {
	server.Exceptions = map[string]string{
		"OutageIsWaitedOutAndLoggedOnce": "one queue may notice an outage when another has seen its end",
	}
	return server
}

func noOptions(*config.Config) []redisadapter.BrokerOption { return nil }

// queuesAndPriorities has workers take from a second queue too, which stays empty, and by priority.
func queuesAndPriorities(cnf *config.Config) []redisadapter.BrokerOption {
	return []redisadapter.BrokerOption{
		redisadapter.WithPriorities(),
		redisadapter.WithQueueWeights(map[string]int{cnf.DefaultQueue: 2, cnf.DefaultQueue + "-second": 1}),
	}
}

// sharded is for clauses that hold whatever the order in which tasks are listed and taken.
func sharded(server adaptertest.Server) adaptertest.Server {
	server = severalQueues(server)
	unsharded := server.New
	server.New = func(t *testing.T) adaptertest.Site {
		t.Helper()
		s := unsharded(t).(*contractSite)
		s.lists = redisadapter.ShardNames(s.cnf.DefaultQueue, manyShards)
		return s
	}
	for _, clause := range []string{
		"DeletedTaskThatWaitedDoesNotRun", "ListCutsALargeMessageShort", "ListShowsAMessageThatIsNoTask",
		"PendingTasksAreListedAndStay", "TaskWhoseETAHasComeRunsAtOnce", "UnknownTaskIsDroppedWhereItSaysSo",
		"WaitingTasksAreListedInPagesAndStay",
	} {
		server.Exceptions[clause] = "tasks of several shards have no order: see shards_test.go"
	}
	return server
}

const manyShards = 3

func shards(*config.Config) []redisadapter.BrokerOption {
	return []redisadapter.BrokerOption{redisadapter.WithShards(manyShards)}
}

type (
	finder  func(*testing.T) func(dialer) redis.UniversalClient
	options func(*config.Config) []redisadapter.BrokerOption
)

func contractServer(name string, find finder, o options) adaptertest.Server {
	return adaptertest.Server{Name: name, New: func(t *testing.T) adaptertest.Site {
		t.Helper()
		dial, network := find(t), adaptertest.NewNetwork()
		queue := "test-" + rand.Text()
		s := &contractSite{
			client:  dial(nil),
			through: dial(network.Dial),
			network: network,
			options: o,
			cnf: &config.Config{
				DefaultQueue:  queue,
				NoUnixSignals: true,
				Redis: &config.RedisConfig{
					DelayedTasksKey:        queue + ":delayed",
					DelayedTasksPollPeriod: 10,
					NormalTasksPollPeriod:  5,
				},
			},
		}
		t.Cleanup(func() {
			require.NoError(t, s.remove())
			require.NoError(t, s.through.Close())
			require.NoError(t, s.client.Close())
		})
		return s
	}}
}

func (s *contractSite) remove() error {
	removeFrom := func(ctx context.Context, node *redis.Client) error {
		keys := node.Scan(ctx, 0, "*"+s.cnf.DefaultQueue+"*", 1000).Iterator()
		for keys.Next(ctx) {
			node.Del(ctx, keys.Val())
		}
		return keys.Err()
	}
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(context.Background(), removeFrom)
	}
	return removeFrom(context.Background(), s.client.(*redis.Client))
}

func (s *contractSite) Config() *config.Config        { return s.cnf }
func (s *contractSite) RoutingKey() string            { return s.cnf.DefaultQueue }
func (s *contractSite) Network() *adaptertest.Network { return s.network }

func (s *contractSite) NewBroker(t *testing.T, o adaptertest.Options) brokersiface.Broker {
	t.Helper()
	opts := append(s.options(s.cnf),
		redisadapter.WithPublishTimeout(adaptertest.Timeout), redisadapter.WithStopTimeout(adaptertest.Timeout))
	if o.MaxAttempts != nil {
		opts = append(opts, redisadapter.WithMaxAttempts(*o.MaxAttempts))
	}
	if o.MaxMessage != nil {
		opts = append(opts, redisadapter.WithMaxMessage(*o.MaxMessage))
	}
	if o.Backoff != nil {
		opts = append(opts, redisadapter.WithBackoff(o.Backoff.First, o.Backoff.Last))
	}
	if o.PublishTimeout != nil {
		opts = append(opts, redisadapter.WithPublishTimeout(*o.PublishTimeout))
	}
	if o.DeadLetters != nil {
		opts = append(opts, redisadapter.WithDeadLetters(o.DeadLetters.(*redisadapter.DeadLetters)))
	}
	if o.Logger != nil {
		opts = append(opts, redisadapter.WithLogger(o.Logger))
	}
	broker := redisadapter.NewBroker(s.cnf, s.through, opts...)
	t.Cleanup(func() { require.NoError(t, broker.(io.Closer).Close()) })
	return broker
}

func (s *contractSite) NewSource(t *testing.T) inspect.Source {
	t.Helper()
	return redisadapter.NewSource(s.cnf, s.through, inspect.WithQueues(s.lists...))
}

func (s *contractSite) NewBackend(t *testing.T) backendsiface.Backend {
	t.Helper()
	return redisadapter.NewBackend(s.cnf, s.client)
}

func (s *contractSite) DeadLetters(*testing.T) deadletter.Store {
	return redisadapter.NewDeadLetters(s.client, redisadapter.DeadLettersKey(s.cnf.DefaultQueue))
}

func (s *contractSite) OwnDeadLetters(*testing.T) deadletter.Store {
	queues := redisadapter.WithReplayQueues(s.cnf.DefaultQueue, adaptertest.CustomQueue(s.cnf))
	return redisadapter.NewDeadLetters(s.client, s.cnf.DefaultQueue+":own", queues)
}

func (s *contractSite) Enqueue(t *testing.T, queue string, bodies ...[]byte) {
	t.Helper()
	for _, body := range bodies {
		require.NoError(t, s.client.RPush(t.Context(), queue, body).Err())
	}
}

func (s *contractSite) Waiting(t *testing.T, queue string) int {
	t.Helper()
	waiting := 0
	for _, list := range redisadapter.ShardNames(queue, manyShards) {
		n, err := s.client.LLen(t.Context(), list).Result()
		require.NoError(t, err)
		waiting += int(n)
	}
	return waiting
}

func (s *contractSite) Next(t *testing.T, queue string) []byte {
	t.Helper()
	for _, list := range redisadapter.ShardNames(queue, manyShards) {
		body, err := s.client.LPop(t.Context(), list).Bytes()
		if errors.Is(err, redis.Nil) {
			continue
		}
		require.NoError(t, err)
		return body
	}
	require.Fail(t, "the queue is empty")
	return nil
}
