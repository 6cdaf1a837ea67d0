package main

import (
	"context"
	"fmt"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
)

// embeddedTransport carries tasks over a Redis server inside this process.
type embeddedTransport struct {
	redisTransport
	server *miniredis.Miniredis
}

func (t *embeddedTransport) String() string { return "embedded Redis" }

func (t *embeddedTransport) open(ctx context.Context) error {
	server, err := miniredis.Run()
	if err != nil {
		return fmt.Errorf("start an embedded Redis: %w", err)
	}
	t.server = server
	t.redisTransport = redisTransport{
		queue:   newQueueName(),
		options: &redis.Options{Addr: server.Addr()},
	}
	return t.redisTransport.open(ctx)
}

func (t *embeddedTransport) close() error {
	defer t.server.Close()
	return t.redisTransport.close()
}
