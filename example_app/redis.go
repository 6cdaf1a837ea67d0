package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// redisTransport carries tasks over a Redis server.
type redisTransport struct {
	name    string
	queue   string
	options *redis.Options
	client  *redis.Client
}

func newRedisTransport(address *url.URL) (*redisTransport, error) {
	options, err := redis.ParseURL(address.String())
	if err != nil {
		return nil, err
	}
	return &redisTransport{name: withoutPassword(address), queue: newQueueName(), options: options}, nil
}

func (t *redisTransport) String() string { return t.name }

func (t *redisTransport) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	t.client = redis.NewClient(t.options)
	if err := t.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("cannot reach %s: %w", t, err)
	}
	return nil
}

func (t *redisTransport) newServer() *machinery.Server {
	cnf := &config.Config{
		DefaultQueue:    t.queue,
		ResultsExpireIn: int(leftoverExpiry.Seconds()),
		NoUnixSignals:   true,
		Redis:           &config.RedisConfig{DelayedTasksKey: t.queue + "-delayed"},
	}
	return machinery.NewServer(cnf, redisadapter.NewBroker(cnf, t.client), redisadapter.NewBackend(cnf, t.client), eager.New())
}

func (t *redisTransport) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), reachTimeout)
	defer cancel()
	defer t.client.Close()
	return t.client.Del(ctx, t.queue).Err()
}
