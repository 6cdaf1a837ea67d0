package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// redisService is a Redis server.
type redisService struct {
	name    string
	options *redis.Options
	client  *redis.Client
}

func newRedisService(address *url.URL) (*redisService, error) {
	options, err := redis.ParseURL(address.String())
	if err != nil {
		return nil, err
	}
	return &redisService{name: withoutPassword(address), options: options}, nil
}

func (s *redisService) String() string { return s.name }

func (s *redisService) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	s.client = redis.NewClient(s.options)
	if err := s.client.Ping(ctx).Err(); err != nil {
		s.client.Close()
		return fmt.Errorf("cannot reach %s: %w", s, err)
	}
	return nil
}

func (s *redisService) configure(cnf *config.Config, queue queue) {
	cnf.Redis = &config.RedisConfig{DelayedTasksKey: delayedKey(queue)}
}

func delayedKey(queue queue) string { return queue.name + "-delayed" }

func (s *redisService) newBroker(cnf *config.Config) brokersiface.Broker {
	return redisadapter.NewBroker(cnf, s.client)
}

func (s *redisService) newBackend(cnf *config.Config) backendsiface.Backend {
	return redisadapter.NewBackend(cnf, s.client)
}

func (s *redisService) newSource(cnf *config.Config, _ inspect.Source) inspect.Source {
	return redisadapter.NewSource(cnf, s.client)
}

func (s *redisService) remove(queue queue) error {
	ctx, cancel := context.WithTimeout(context.Background(), reachTimeout)
	defer cancel()
	return errors.Join(
		s.client.Del(ctx, queue.name, delayedKey(queue)).Err(),
		s.client.Del(ctx, "{"+queue.name+"}:done", "{"+delayedKey(queue)+"}:queues").Err(), // for a source
	)
}

func (s *redisService) close() error { return s.client.Close() }
