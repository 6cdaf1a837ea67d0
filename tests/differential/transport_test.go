package differential

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	amqpbackend "github.com/RichardKnop/machinery/v2/backends/amqp"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	redisbackend "github.com/RichardKnop/machinery/v2/backends/redis"
	amqpbroker "github.com/RichardKnop/machinery/v2/brokers/amqp"
	eagerbroker "github.com/RichardKnop/machinery/v2/brokers/eager"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	redisbroker "github.com/RichardKnop/machinery/v2/brokers/redis"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

var transports = func() (all []Transport) {
	add := func(name string, bare, installed Opener) { all = append(all, Transport{name, bare, installed}) }
	add("eager", openEager, openEager)
	add("embedded redis, redigo", redigoOn(embeddedRedis), redigoOn(embeddedRedis))
	add("embedded redis, go-redis", goRedisOn(embeddedRedis), goRedisOn(embeddedRedis))
	add("embedded redis, redisadapter", goRedisOn(embeddedRedis), adapterOn(embeddedRedis))
	add("redis, redigo", redigoOn(services.Redis), redigoOn(services.Redis))
	add("redis, go-redis", goRedisOn(services.Redis), goRedisOn(services.Redis))
	add("redis, redisadapter", goRedisOn(services.Redis), adapterOn(services.Redis))
	add("rabbitmq", onRabbitMQ(machineryBroker, embeddedResults), onRabbitMQ(machineryBroker, embeddedResults))
	add("rabbitmq, amqpadapter", onRabbitMQ(machineryBroker, embeddedResults), onRabbitMQ(adapterBroker, embeddedResults))
	add("rabbitmq, its results", onRabbitMQ(machineryBroker, machineryResults), onRabbitMQ(machineryBroker, machineryResults))
	add("rabbitmq, amqpadapter and its results", onRabbitMQ(machineryBroker, machineryResults), onRabbitMQ(adapterBroker, adapterResults))
	return all
}()

func openEager(*testing.T, *config.Config) (*machinery.Server, func() []string) {
	cnf := &config.Config{NoUnixSignals: true}
	return machinery.NewServer(cnf, eagerbroker.New(), eagerbackend.New(), eagerlock.New()), nil
}

func embeddedRedis(t testing.TB) string { return "redis://" + miniredis.RunT(t).Addr() }

func redigoOn(find func(testing.TB) string) Opener {
	return func(t *testing.T, cnf *config.Config) (*machinery.Server, func() []string) {
		o, messages := dial(t, cnf, find(t))
		broker := redisbroker.New(cnf, o.Addr, o.Username, o.Password, "", o.DB)
		backend := redisbackend.New(cnf, o.Addr, o.Username, o.Password, "", o.DB)
		return machinery.NewServer(cnf, broker, backend, eagerlock.New()), messages
	}
}

func goRedisOn(find func(testing.TB) string) Opener {
	return func(t *testing.T, cnf *config.Config) (*machinery.Server, func() []string) {
		o, messages := dial(t, cnf, find(t))
		broker := redisbroker.NewGR(cnf, addresses(o), o.DB)
		return machinery.NewServer(cnf, broker, goRedisBackend(cnf, o), eagerlock.New()), messages
	}
}

func goRedisBackend(cnf *config.Config, o *redis.Options) backendsiface.Backend {
	return redisbackend.NewGR(cnf, addresses(o), o.DB)
}

// addresses returns what Machinery takes: host:port, or user:password@host:port.
func addresses(o *redis.Options) []string {
	if o.Password == "" {
		return []string{o.Addr}
	}
	return []string{o.Username + ":" + o.Password + "@" + o.Addr}
}

func adapterOn(find func(testing.TB) string) Opener {
	return func(t *testing.T, cnf *config.Config) (*machinery.Server, func() []string) {
		o, messages := dial(t, cnf, find(t))
		client := redis.NewClient(o)
		t.Cleanup(func() { _ = client.Close() })
		broker, backend := redisadapter.NewBroker(cnf, client), redisadapter.NewBackend(cnf, client)
		return machinery.NewServer(cnf, broker, backend, eagerlock.New()), messages
	}
}

// dial returns how to reach a Redis, which may be anybody's and is left as it was, and what reads the queue there.
func dial(t *testing.T, cnf *config.Config, url string) (*redis.Options, func() []string) {
	o, err := redis.ParseURL(url)
	require.NoError(t, err)
	client, ctx := redis.NewClient(o), context.Background()
	t.Cleanup(func() {
		_ = client.Del(ctx, cnf.DefaultQueue, cnf.Redis.DelayedTasksKey).Err()
		_ = client.Close()
	})
	return o, func() []string {
		due, err := client.LRange(ctx, cnf.DefaultQueue, 0, -1).Result()
		require.NoError(t, err)
		delayed, err := client.ZRange(ctx, cnf.Redis.DelayedTasksKey, 0, -1).Result()
		require.NoError(t, err)
		return append(due, delayed...)
	}
}

func machineryBroker(_ *testing.T, cnf *config.Config) brokersiface.Broker {
	return amqpbroker.New(cnf)
}

func adapterBroker(t *testing.T, cnf *config.Config) brokersiface.Broker {
	broker := amqpadapter.NewBroker(cnf)
	t.Cleanup(func() { _ = broker.(io.Closer).Close() })
	return broker
}

func machineryResults(_ *testing.T, cnf *config.Config) backendsiface.Backend {
	return amqpbackend.New(cnf)
}

func adapterResults(_ *testing.T, cnf *config.Config) backendsiface.Backend {
	return amqpadapter.NewBackend(cnf)
}

func embeddedResults(t *testing.T, cnf *config.Config) backendsiface.Backend {
	o, err := redis.ParseURL(embeddedRedis(t))
	require.NoError(t, err)
	return goRedisBackend(cnf, o)
}

func onRabbitMQ(broker func(*testing.T, *config.Config) brokersiface.Broker, backend func(*testing.T, *config.Config) backendsiface.Backend) Opener {
	return func(t *testing.T, cnf *config.Config) (*machinery.Server, func() []string) {
		cnf.Broker = services.AMQP(t)
		cnf.ResultBackend = cnf.Broker
		cnf.AMQP = &config.AMQPConfig{Exchange: cnf.DefaultQueue, ExchangeType: "direct", BindingKey: cnf.DefaultQueue, PrefetchCount: 1}
		cnf.AMQP.DelayedQueue = cnf.DefaultQueue + "-delayed"
		messages := tap(t, cnf)
		return machinery.NewServer(cnf, broker(t, cnf), backend(t, cnf), eagerlock.New()), messages
	}
}

// tap binds a second queue to what the work queue is bound to, which gets a copy of every message.
func tap(t *testing.T, cnf *config.Config) func() []string {
	connection, err := amqp.Dial(cnf.Broker)
	require.NoError(t, err)
	channel, err := connection.Channel()
	require.NoError(t, err)
	name := cnf.DefaultQueue
	t.Cleanup(func() {
		for _, queue := range []string{name, name + "-tap", name + "-delayed", name + ".redelivered", name + ".dead"} {
			_, err := channel.QueueDelete(queue, false, false, false)
			require.NoError(t, err)
		}
		require.NoError(t, channel.ExchangeDelete(name, false, false))
		_ = connection.Close()
	})
	require.NoError(t, channel.ExchangeDeclare(name, "direct", true, false, false, false, nil))
	for _, queue := range []string{name, name + "-tap"} {
		_, err = channel.QueueDeclare(queue, queue == name, false, false, false, nil)
		require.NoError(t, err)
		require.NoError(t, channel.QueueBind(queue, name, name, false, nil))
	}
	return func() (bodies []string) {
		for {
			message, ok, err := channel.Get(name+"-tap", true)
			require.NoError(t, err)
			if !ok {
				return bodies
			}
			// Delayed ones come when they come.
			if strings.Contains(string(message.Body), `"ETA":null`) {
				bodies = append(bodies, string(message.Body))
			}
		}
	}
}
