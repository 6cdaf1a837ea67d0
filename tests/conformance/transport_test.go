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
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// A transport makes Machinery servers that meet in one place.
type transport struct {
	name string
	// open finds the service, or skips, and returns a function that makes
	// servers on it. The configuration has a queue of its own.
	open func(t *testing.T, cnf *config.Config) func() *machinery.Server
	// options are added to those of each case.
	options []middleware.Option
}

var transports = []transport{
	{name: "eager", open: openEager},
	{name: "embedded redis", open: openEmbeddedRedis},
	{name: "embedded redis, signed", open: openEmbeddedRedis, options: signed},
	{name: "redis", open: openRedis},
	{name: "redis sentinel", open: openRedisSentinel},
	{name: "redis cluster", open: openRedisCluster},
	{name: "redis, machinery's go-redis broker", open: openMachineryGoRedis},
	{name: "redis, machinery's redigo broker", open: openMachineryRedigo},
	{name: "rabbitmq", open: openRabbitMQ},
	{name: "rabbitmq, signed", open: openRabbitMQ, options: signed},
	{name: "rabbitmq, machinery's broker", open: openMachineryRabbitMQ},
}

// signed is what most changes how tasks travel. Some cases send tasks past the
// middleware, unsigned.
var signed = []middleware.Option{middleware.SignTasks(newMAC()), middleware.AcceptUnsigned(), middleware.EnvelopeAll()}

func newMAC() middleware.MAC {
	key, err := keyset.NewHandle(mac.HMACSHA256Tag256KeyTemplate())
	if err != nil {
		panic(err)
	}
	primitive, err := mac.New(key)
	if err != nil {
		panic(err)
	}
	return primitive
}

func openEager(_ *testing.T, cnf *config.Config) func() *machinery.Server {
	server := machinery.NewServer(cnf, eagerbroker.New(), eagerbackend.New(), eagerlock.New())
	return func() *machinery.Server { return server }
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

func adapterServers(t *testing.T, cnf *config.Config, client redis.UniversalClient) func() *machinery.Server {
	t.Cleanup(func() { _ = client.Close() })
	return func() *machinery.Server {
		return machinery.NewServer(cnf, redisadapter.NewBroker(cnf, client), redisadapter.NewBackend(cnf, client), eagerlock.New())
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
		keys := []string{cnf.DefaultQueue, customQueueOf(cnf), delayedQueueOf(cnf)}
		require.NoError(t, client.Del(client.Context(), keys...).Err())
	})
}

// These name what is removed together with the default queue.
func customQueueOf(cnf *config.Config) string  { return cnf.DefaultQueue + "-custom" }
func delayedQueueOf(cnf *config.Config) string { return cnf.DefaultQueue + "-delayed" }

func openRabbitMQ(t *testing.T, cnf *config.Config) func() *machinery.Server {
	useRabbitMQ(t, cnf)
	return func() *machinery.Server {
		broker := amqpadapter.NewBroker(cnf)
		t.Cleanup(func() { _ = broker.(io.Closer).Close() })
		return machinery.NewServer(cnf, broker, amqpadapter.NewBackend(cnf), eagerlock.New())
	}
}

func openMachineryRabbitMQ(t *testing.T, cnf *config.Config) func() *machinery.Server {
	useRabbitMQ(t, cnf)
	// By default Machinery's broker makes a queue for each delay that lives twice as
	// long as the delay. On a machine too busy to publish to it in time, the task
	// vanishes with the queue.
	cnf.AMQP.DelayedQueue = delayedQueueOf(cnf)
	return func() *machinery.Server {
		return machinery.NewServer(cnf, amqpbroker.New(cnf), amqpbackend.New(cnf), eagerlock.New())
	}
}

func useRabbitMQ(t *testing.T, cnf *config.Config) {
	address := services.AMQP(t)
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
		for _, queue := range []string{cnf.DefaultQueue, customQueueOf(cnf), delayedQueueOf(cnf)} {
			for _, suffix := range []string{"", ".redelivered", ".dead"} { // package amqpadapter's beside it
				_, err = channel.QueueDelete(queue+suffix, false, false, false)
				require.NoError(t, err)
			}
		}
		require.NoError(t, channel.ExchangeDelete(cnf.AMQP.Exchange, false, false))
	})
}
