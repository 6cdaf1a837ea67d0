package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/go-redis/redis/v8"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// defaultQueue is that of a Machinery configuration that says nothing.
const defaultQueue = "machinery_tasks"

// servers are what the flags before the command name.
type servers struct {
	redis, amqp, backend, management string
	queues                           []string
	browse                           bool
	delayed, dead                    string
	exchange, exchangeType           string

	opened []io.Closer
}

// addTo adds the flags.
func (s *servers) addTo(f *flag.FlagSet) {
	f.StringVar(&s.redis, "redis", "", "`url` of Redis: redis://user:password@host:port/database, or rediss for TLS")
	f.StringVar(&s.amqp, "amqp", "", "`url` of RabbitMQ: amqp://user:password@host:port/vhost, or amqps for TLS")
	f.StringVar(&s.management, "management", "", "`url` of RabbitMQ's management API, which tells more: http://user:password@host:15672")
	f.BoolVar(&s.browse, "browse", false, "show what waits in classic queues of RabbitMQ, by taking it out and putting it back")
	f.StringVar(&s.backend, "backend", "", "`url` of the Redis that has the results of tasks on RabbitMQ")
	f.Func("queue", "`name` of a queue that there is; the first is the default queue (machinery_tasks); may be repeated", func(name string) error {
		s.queues = append(s.queues, name)
		return nil
	})
	f.StringVar(&s.delayed, "delayed", "", "`key` of delayed tasks in Redis, DelayedTasksKey of the configuration (delayed_tasks)")
	f.StringVar(&s.dead, "dead", "", "`key` or queue of the dead letters, where the broker was given WithDeadLetters")
	f.StringVar(&s.exchange, "exchange", "", "`name` of RabbitMQ's exchange (the default queue's)")
	f.StringVar(&s.exchangeType, "exchange-type", "direct", "`type` of the exchange (direct)")
}

// open makes the sources. They connect when they are first asked.
func (s *servers) open(ctx context.Context) ([]inspect.Source, error) {
	if s.redis == "" && s.amqp == "" {
		return nil, inspect.UsageError("no server: want -redis url or -amqp url before the command")
	}
	var sources []inspect.Source
	if s.redis != "" {
		source, err := s.redisSource(s.redis)
		if err != nil {
			return nil, malformed("redis", err)
		}
		sources = append(sources, source)
	}
	if s.amqp != "" {
		source, err := s.amqpSource(ctx)
		if err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	return sources, nil
}

// configuration returns what both brokers need.
func (s *servers) configuration() *config.Config {
	queue := defaultQueue
	if len(s.queues) > 0 {
		queue = s.queues[0]
	}
	return &config.Config{DefaultQueue: queue}
}

func (s *servers) redisSource(address string) (inspect.Source, error) {
	options, err := redis.ParseURL(address)
	if err != nil {
		return nil, withoutAddress(err)
	}
	client := redis.NewClient(options)
	s.opened = append(s.opened, client)
	cnf := s.configuration()
	cnf.Redis = &config.RedisConfig{DelayedTasksKey: s.delayed}
	opts := []inspect.SourceOption{inspect.WithQueues(s.queues...)}
	if s.dead != "" {
		opts = append(opts, inspect.WithDeadLetters(redisadapter.NewDeadLetters(client, s.dead)))
	}
	return redisadapter.NewSource(cnf, client, opts...), nil
}

func (s *servers) amqpSource(ctx context.Context) (inspect.Source, error) {
	if _, err := amqp.ParseURI(s.amqp); err != nil {
		return nil, malformed("amqp", withoutAddress(err))
	}
	cnf := s.configuration()
	cnf.Broker = s.amqp
	exchange := cmp.Or(s.exchange, cnf.DefaultQueue)
	cnf.AMQP = &config.AMQPConfig{Exchange: exchange, ExchangeType: s.exchangeType, BindingKey: cnf.DefaultQueue}
	opts := []inspect.SourceOption{inspect.WithQueues(s.queues...)}
	if s.browse {
		opts = append(opts, amqpadapter.BrowseQueues())
	}
	if s.management != "" {
		opts = append(opts, inspect.WithManagement(s.management))
	}
	if s.backend != "" {
		results, err := s.redisSource(s.backend)
		if err != nil {
			return nil, malformed("backend", err)
		}
		opts = append(opts, inspect.WithResults(results))
	}
	if s.dead != "" {
		letters, err := amqpadapter.NewDeadLettersOf(ctx, cnf, s.dead)
		if err != nil {
			return nil, err
		}
		s.opened = append(s.opened, letters)
		opts = append(opts, inspect.WithDeadLetters(letters))
	}
	source := amqpadapter.NewSource(cnf, opts...)
	if closer, ok := source.(io.Closer); ok {
		s.opened = append(s.opened, closer)
	}
	return source, nil
}

// malformed is the error of a flag whose url cannot be one of its server.
func malformed(name string, err error) error {
	form := "redis://user:password@host:port/database"
	if name == "amqp" {
		form = "amqp://user:password@host:port/vhost"
	}
	return inspect.UsageError(fmt.Sprintf("-%s: %v; want %s", name, err, form))
}

// withoutAddress keeps a password out of an error: that of package url quotes what it could not parse.
func withoutAddress(err error) error {
	var quoting *url.Error
	if errors.As(err, &quoting) {
		return quoting.Err
	}
	return err
}

func (s *servers) close() {
	for _, opened := range s.opened {
		_ = opened.Close() // what was asked is answered
	}
}
