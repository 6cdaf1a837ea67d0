package main

import (
	"io"
	stdlog "log"
	"os"
	"sync"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	redisbackend "github.com/RichardKnop/machinery/v2/backends/redis"
	amqpbroker "github.com/RichardKnop/machinery/v2/brokers/amqp"
	redisbroker "github.com/RichardKnop/machinery/v2/brokers/redis"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	machinerylog "github.com/RichardKnop/machinery/v2/log"
	"github.com/go-redis/redis/v8"
	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// workers is the concurrency of every worker that is timed.
const workers = 8

func TestMain(m *testing.M) {
	machinerylog.Set(stdlog.New(io.Discard, "", 0))
	os.Exit(m.Run())
}

// newConfig has a queue of its own, and results that do not pile up.
func newConfig() *config.Config {
	queue := "bench-" + uuid.NewString()
	return &config.Config{
		DefaultQueue:    queue,
		ResultsExpireIn: 60,
		NoUnixSignals:   true,
		Redis:           &config.RedisConfig{DelayedTasksKey: queue + "-delayed"},
	}
}

// redisOptions says where the Redis is.
func redisOptions(b testing.TB) *redis.Options {
	b.Helper()
	options, err := redis.ParseURL(services.Redis(b))
	if err != nil {
		b.Fatal(err)
	}
	return options
}

// machineryOnRedis is a server with Machinery's own go-redis broker and backend.
func machineryOnRedis(b testing.TB) *machinery.Server {
	b.Helper()
	cnf, options := newConfig(), redisOptions(b)
	addresses := func() []string { return []string{options.Addr} }
	return machinery.NewServer(cnf,
		redisbroker.NewGR(cnf, addresses(), options.DB), redisbackend.NewGR(cnf, addresses(), options.DB), eagerlock.New())
}

// machineryOnRabbitMQ is a server with Machinery's own AMQP broker. Its results go to Redis: the AMQP backend, which
// opens a connection for each state, would hide everything else.
func machineryOnRabbitMQ(b testing.TB) *machinery.Server {
	b.Helper()
	cnf, options := newConfig(), redisOptions(b)
	useRabbitMQ(b, cnf, services.AMQP(b))
	backend := redisbackend.NewGR(cnf, []string{options.Addr}, options.DB)
	return machinery.NewServer(cnf, amqpbroker.New(cnf), backend, eagerlock.New())
}

// useRabbitMQ points a configuration to RabbitMQ, and removes the queue in the end.
func useRabbitMQ(b testing.TB, cnf *config.Config, address string) {
	b.Helper()
	cnf.Broker = address
	cnf.AMQP = &config.AMQPConfig{
		Exchange:      cnf.DefaultQueue,
		ExchangeType:  "direct",
		BindingKey:    cnf.DefaultQueue,
		PrefetchCount: 2 * workers,
	}
	b.Cleanup(func() {
		connection, err := amqp.Dial(cnf.Broker)
		if err != nil {
			b.Fatal(err)
		}
		defer connection.Close()
		channel, err := connection.Channel()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := channel.QueueDelete(cnf.DefaultQueue, false, false, false); err != nil {
			b.Fatal(err)
		}
		if err := channel.ExchangeDelete(cnf.AMQP.Exchange, false, false); err != nil {
			b.Fatal(err)
		}
	})
}

// launch starts a worker that ends with the benchmark.
func launch(b testing.TB, server *machinery.Server) {
	b.Helper()
	launchWith(b, server, workers)
}

func launchWith(b testing.TB, server *machinery.Server, concurrency int) {
	b.Helper()
	worker := server.NewWorker("bench", concurrency)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	b.Cleanup(func() {
		worker.Quit()
		<-ended
	})
}

// sendMany calls send n times, on as many goroutines as a worker has.
func sendMany(b testing.TB, n int, send func() error) {
	b.Helper()
	var senders sync.WaitGroup
	errs := make(chan error, workers)
	for i := range workers {
		share := n / workers
		if i < n%workers {
			share++
		}
		senders.Go(func() {
			for range share {
				if err := send(); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	senders.Wait()
	select {
	case err := <-errs:
		b.Fatal(err)
	default:
	}
}
