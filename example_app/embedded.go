package main

import (
	"context"
	"fmt"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
)

// embedded is the address of a Redis inside this process.
const embedded = "embedded"

// embeddedService is a Redis server inside this process.
type embeddedService struct {
	redisService
	server *miniredis.Miniredis
}

func (s *embeddedService) String() string { return "embedded Redis" }

func (s *embeddedService) open(ctx context.Context) error {
	server, err := miniredis.Run()
	if err != nil {
		return fmt.Errorf("start an embedded Redis: %w", err)
	}
	s.server = server
	s.redisService = redisService{options: &redis.Options{Addr: server.Addr()}}
	return s.redisService.open(ctx)
}

func (s *embeddedService) close() error {
	defer s.server.Close()
	return s.redisService.close()
}
