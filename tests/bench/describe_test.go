package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-redis/redis/v8"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// describe prints what a server is and how it is set up, for the head of RESULTS.md.
func describe(server, description string) { fmt.Printf("%s: %s\n", server, description) }

func describeRedis(b *testing.B) {
	b.Helper()
	ctx, client := context.Background(), redis.NewClient(redisOptions(b))
	defer client.Close()
	info, err := client.Info(ctx, "server").Result()
	if err != nil {
		b.Fatal(err)
	}
	description := valueIn(info, "redis_version")
	for _, setting := range []string{"save", "appendonly", "io-threads"} {
		values, err := client.ConfigGet(ctx, setting).Result()
		if err == nil && len(values) == 2 {
			description += fmt.Sprintf(", %s %q", setting, values[1])
		}
	}
	describe(redisServer, description)
}

// valueIn is that of a line of what INFO answers.
func valueIn(info, name string) string {
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(line, name+":"); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func describeRabbitMQ(b *testing.B) {
	b.Helper()
	connection, err := amqp.Dial(services.AMQP(b))
	if err != nil {
		b.Fatal(err)
	}
	defer connection.Close()
	describe(rabbitMQServer, fmt.Sprintf("%v on %v", connection.Properties["version"], connection.Properties["platform"]))
}

func describePostgreSQL(b *testing.B) {
	b.Helper()
	server, err := startedOnce()
	if errors.Is(err, errNoPostgreSQL) {
		describe(postgreSQLServer, "none was found, and river is left out")
		return
	}
	if err != nil {
		b.Fatal(err)
	}
	version, err := server.version(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	describe(postgreSQLServer, version+", started by the benchmark on files of its own with "+postgreSQLSettings)
}
