package documents_test

import (
	"github.com/RichardKnop/machinery/v2"
	"github.com/go-redis/redis/v8" // for package redisadapter; v9 is another module

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// The imports above are those of README.md.
var (
	_ = machinery.NewServer
	_ = redis.NewClient
	_ = redisadapter.NewBroker
	_ = envelope.NewRegistry
	_ = middleware.Install
)
