package conformance_test

import (
	"io"
	"net/url"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	amqpbackend "github.com/RichardKnop/machinery/v2/backends/amqp"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	redisbackend "github.com/RichardKnop/machinery/v2/backends/redis"
	amqpbroker "github.com/RichardKnop/machinery/v2/brokers/amqp"
	eagerbroker "github.com/RichardKnop/machinery/v2/brokers/eager"
	redisbroker "github.com/RichardKnop/machinery/v2/brokers/redis"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/middleware/middlewaretest"
	"github.com/machinery-envelope/machinery-envelope/tests/conformance"
	"github.com/machinery-envelope/machinery-envelope/tests/duequeue"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

var (
	groupOrder      = []string{"a", "b", "c"}
	completionOrder = []string{"c", "a", "b"} // RabbitMQ's backend keeps the results of a group in a queue
)

// Transports of RabbitMQ run one case at a time: its backend has to declare a queue for each look at a result, so that
// waiting for several at once takes longer, not less.
var transports = []conformance.Transport{
	{Name: "eager", Open: openEager, OneAtATime: true, Excluded: notEager},
	{Name: "middlewaretest", Open: openMiddlewaretest, ChordOrder: groupOrder},
	conformance.Signed(conformance.Transport{Name: "middlewaretest", Open: openMiddlewaretest, ChordOrder: groupOrder}),
	{Name: "embedded redis", Open: openEmbeddedRedis, ChordOrder: groupOrder},
	conformance.Signed(conformance.Transport{Name: "embedded redis", Open: openEmbeddedRedis, ChordOrder: groupOrder}),
	{Name: "redis", Open: openRedis, ChordOrder: groupOrder},
	{Name: "redis, several queues with priorities", Open: openRedisQueues, ChordOrder: groupOrder},
	{Name: "redis tls", Open: openRedisTLS, ChordOrder: groupOrder},
	{Name: "redis sentinel", Open: openRedisSentinel, ChordOrder: groupOrder},
	{Name: "redis cluster", Open: openRedisCluster, ChordOrder: groupOrder},
	{Name: "redis, machinery's go-redis broker", Open: openMachineryGoRedis, ChordOrder: groupOrder},
	{Name: "redis, machinery's redigo broker", Open: openMachineryRedigo, ChordOrder: groupOrder},
	{Name: "rabbitmq", Open: openRabbitMQ, ChordOrder: completionOrder, OneAtATime: true},
	conformance.Signed(conformance.Transport{Name: "rabbitmq", Open: openRabbitMQ, ChordOrder: completionOrder, OneAtATime: true}),
	{Name: "rabbitmq, quorum queues", Open: openQuorumRabbitMQ, ChordOrder: groupOrder},
	{Name: "rabbitmq, machinery's broker", Open: openMachineryRabbitMQ, ChordOrder: completionOrder, OneAtATime: true},
}

// Machinery's eager broker runs tasks where they are sent, and its backend has no locks where it reads.
var notEager = map[string]string{
	"a chord's callback takes the results in the order of the transport": "no member can end before one that was sent earlier",
	"a worker that quits waits for its tasks, and loses none":            "there is no worker to quit",
	"values of the sender's context reach every task of a chord":         "chords race",
	"a group is sent all at once":                                        "the backend has no locks where it reads",
	"a chord is sent all at once":                                        "chords race",
	"a task does not arrive before its ETA":                              "tasks run where they are sent",
	"poison among good messages stops nothing":                           "the sender gets the error",
	"a worker serves a queue of its own":                                 "there are no queues",
}

func openEager(_ *testing.T, cnf *config.Config) func() *machinery.Server {
	server := machinery.NewServer(cnf, eagerbroker.New(), eagerbackend.New(), eagerlock.New())
	return func() *machinery.Server { return server }
}

// openMiddlewaretest has a configuration of its own.
func openMiddlewaretest(t *testing.T, _ *config.Config) func() *machinery.Server {
	first := middlewaretest.NewServer(t, nil)
	return func() *machinery.Server { return first.Connect(nil).Server }
}

func openEmbeddedRedis(t *testing.T, cnf *config.Config) func() *machinery.Server {
	return adapterServers(t, cnf, redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()}))
}

func openRedis(t *testing.T, cnf *config.Config) func() *machinery.Server {
	options, err := redis.ParseURL(services.Redis(t))
	require.NoError(t, err)
	removeRedisKeys(t, cnf, options)
	return adapterServers(t, cnf, redis.NewClient(options))
}

func openRedisTLS(t *testing.T, cnf *config.Config) func() *machinery.Server {
	address, configuration := services.RedisTLS(t)
	return adapterServers(t, cnf, redis.NewClient(&redis.Options{Addr: address, TLSConfig: configuration}))
}

// openRedisQueues has workers take from three queues, of which the default queue is the last, and by priority.
func openRedisQueues(t *testing.T, cnf *config.Config) func() *machinery.Server {
	options, err := redis.ParseURL(services.Redis(t))
	require.NoError(t, err)
	removeRedisKeys(t, cnf, options)
	queues := redisadapter.WithQueues(cnf.DefaultQueue+"-urgent", cnf.DefaultQueue+"-other", cnf.DefaultQueue)
	return adapterServers(t, cnf, redis.NewClient(options), queues, redisadapter.WithPriorities())
}

func openRedisSentinel(t *testing.T, cnf *config.Config) func() *machinery.Server {
	sentinel := services.RedisSentinel(t)
	return adapterServers(t, cnf, redis.NewFailoverClient(&redis.FailoverOptions{
		SentinelAddrs: sentinel.Addresses,
		MasterName:    sentinel.MasterName,
	}))
}

func openRedisCluster(t *testing.T, cnf *config.Config) func() *machinery.Server {
	return adapterServers(t, cnf, redisadapter.NewClusterClient(&redis.ClusterOptions{Addrs: services.RedisCluster(t)}))
}

func adapterServers(
	t *testing.T, cnf *config.Config, client redis.UniversalClient, opts ...redisadapter.BrokerOption,
) func() *machinery.Server {
	t.Cleanup(func() { _ = client.Close() })
	return func() *machinery.Server {
		return machinery.NewServer(cnf, redisadapter.NewBroker(cnf, client, opts...), redisadapter.NewBackend(cnf, client), eagerlock.New())
	}
}

func openMachineryGoRedis(t *testing.T, cnf *config.Config) func() *machinery.Server {
	options, err := redis.ParseURL(services.Redis(t))
	require.NoError(t, err)
	removeRedisKeys(t, cnf, options)
	addresses := func() []string {
		if options.Password != "" {
			return []string{options.Username + ":" + options.Password + "@" + options.Addr}
		}
		return []string{options.Addr}
	}
	return func() *machinery.Server {
		return machinery.NewServer(cnf, redisbroker.NewGR(cnf, addresses(), options.DB), redisbackend.NewGR(cnf, addresses(), options.DB), eagerlock.New())
	}
}

func openMachineryRedigo(t *testing.T, cnf *config.Config) func() *machinery.Server {
	options, err := redis.ParseURL(services.Redis(t))
	require.NoError(t, err)
	removeRedisKeys(t, cnf, options)
	return func() *machinery.Server {
		broker := redisbroker.New(cnf, options.Addr, options.Username, options.Password, "", options.DB)
		backend := redisbackend.New(cnf, options.Addr, options.Username, options.Password, "", options.DB)
		return machinery.NewServer(cnf, broker, backend, eagerlock.New())
	}
}

// removeRedisKeys leaves a Redis that is not ours as it was.
func removeRedisKeys(t *testing.T, cnf *config.Config, options *redis.Options) {
	t.Cleanup(func() {
		client := redis.NewClient(options)
		defer func() { _ = client.Close() }()
		keys := []string{
			cnf.DefaultQueue, conformance.CustomQueue(cnf), conformance.DelayedQueue(cnf), "{" + cnf.DefaultQueue + "}:priorities",
		}
		require.NoError(t, client.Del(client.Context(), keys...).Err())
	})
}

func openRabbitMQ(t *testing.T, cnf *config.Config) func() *machinery.Server {
	useRabbitMQ(t, cnf, services.AMQP(t))
	return func() *machinery.Server {
		broker := amqpadapter.NewBroker(cnf)
		t.Cleanup(func() { _ = broker.(io.Closer).Close() })
		return machinery.NewServer(cnf, broker, amqpadapter.NewBackend(cnf), eagerlock.New())
	}
}

// Results are in Redis, as the adapter's documentation advises.
func openQuorumRabbitMQ(t *testing.T, cnf *config.Config) func() *machinery.Server {
	useRabbitMQ(t, cnf, services.QuorumAMQP(t))
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	return func() *machinery.Server {
		broker := amqpadapter.NewBroker(cnf)
		t.Cleanup(func() { _ = broker.(io.Closer).Close() })
		return machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, client), eagerlock.New())
	}
}

func openMachineryRabbitMQ(t *testing.T, cnf *config.Config) func() *machinery.Server {
	useRabbitMQ(t, cnf, services.AMQP(t))
	// By default Machinery's broker makes a queue for each delay that lives twice as long as the delay. On a machine
	// too busy to publish to it in time, the task vanishes with the queue.
	cnf.AMQP.DelayedQueue = conformance.DelayedQueue(cnf)
	return func() *machinery.Server {
		return machinery.NewServer(cnf, amqpbroker.New(cnf), amqpbackend.New(cnf), eagerlock.New())
	}
}

func useRabbitMQ(t *testing.T, cnf *config.Config, address string) {
	_, err := url.Parse(address)
	require.NoError(t, err)
	cnf.Broker, cnf.ResultBackend = address, address
	cnf.AMQP = &config.AMQPConfig{
		Exchange:      cnf.DefaultQueue,
		ExchangeType:  "direct",
		BindingKey:    cnf.DefaultQueue,
		PrefetchCount: 8,
	}
	t.Cleanup(func() {
		connection, err := amqp.Dial(address)
		require.NoError(t, err)
		defer func() { _ = connection.Close() }()
		channel, err := connection.Channel()
		require.NoError(t, err)
		for _, queue := range []string{cnf.DefaultQueue, conformance.CustomQueue(cnf), conformance.DelayedQueue(cnf)} {
			for _, suffix := range []string{"", ".redelivered", ".dead", ".pause"} { // package amqpadapter's beside it
				_, err = channel.QueueDelete(queue+suffix, false, false, false)
				require.NoError(t, err)
			}
		}
		duequeue.Delete(t, connection, cnf.AMQP.Exchange)
		require.NoError(t, channel.ExchangeDelete(cnf.AMQP.Exchange, false, false))
	})
}
