package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// call runs the program in this process.
func call(t *testing.T, arguments ...string) outcome {
	t.Helper()
	var stdout, stderr strings.Builder
	status := run(t.Context(), arguments, strings.NewReader(""), &stdout, &stderr)
	return outcome{status, stdout.String(), stderr.String()}
}

func signature(id string) *tasks.Signature {
	return &tasks.Signature{UUID: id, Name: "orders.ship", RoutingKey: "orders",
		Args: []tasks.Arg{{Name: "count", Type: "int64", Value: 3}}}
}

func TestRedisIsLookedAtAndActedOn(t *testing.T) {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	cnf := &config.Config{DefaultQueue: "orders", Redis: &config.RedisConfig{}}
	broker := redisadapter.NewBroker(cnf, client)
	require.NoError(t, broker.Publish(t.Context(), signature("task-1")))
	require.NoError(t, broker.Publish(t.Context(), signature("task-2")))
	letters := redisadapter.NewDeadLetters(client, "buried")
	require.NoError(t, letters.Push(t.Context(), signature("task-3"), errors.New("connection refused")))
	on := func(arguments ...string) outcome {
		return call(t, append([]string{"-redis", "redis://" + server.Addr(), "-queue", "orders", "-dead", "buried"}, arguments...)...)
	}

	assert.Regexp(t, `redis +orders +2 `, on("queues").stdout)
	assert.Regexp(t, `task-1 +orders.ship`, on("tasks", "-queue", "orders", "-filter", "count = 3").stdout)
	assert.Regexp(t, `State +waiting`, on("task", "task-2").stdout)
	assert.Equal(t, inspect.StatusOK, on("delete", "task-2").status)
	assert.Equal(t, inspect.StatusNotFound, on("task", "task-2").status)
	var dead struct{ Entries []struct{ ID, Reason string } }
	require.NoError(t, json.Unmarshal([]byte(on("dead", "-queue", "orders", "-filter", "reason ~ refused", "-json").stdout), &dead))
	require.Len(t, dead.Entries, 1)
	assert.Equal(t, inspect.StatusOK, on("drop", "-queue", "orders", dead.Entries[0].ID).status)
	assert.Equal(t, inspect.StatusNotFound, on("drop", "-queue", "orders", dead.Entries[0].ID).status)
	assert.Equal(t, inspect.StatusOK, on("pause", "-queue", "orders").status)
	assert.Contains(t, on("queues").stdout, "paused")
}

func TestRabbitMQIsLookedAtAndActedOn(t *testing.T) {
	address, queue := services.AMQP(t), "inspect-"+uuid.NewString()
	cnf := &config.Config{DefaultQueue: queue, Broker: address,
		AMQP: &config.AMQPConfig{Exchange: queue, ExchangeType: "direct", BindingKey: queue}}
	letters, err := amqpadapter.NewDeadLettersOf(t.Context(), cnf, queue+".dead")
	require.NoError(t, err)
	defer letters.Close()
	broker := amqpadapter.NewBroker(cnf)
	s := signature("task-1")
	s.RoutingKey = queue
	require.NoError(t, broker.Publish(t.Context(), s))
	require.NoError(t, letters.Push(t.Context(), s, errors.New("connection refused")))
	on := func(arguments ...string) outcome {
		return call(t, append([]string{"-amqp", address, "-queue", queue}, arguments...)...)
	}

	assert.Regexp(t, `rabbitmq +`+queue+` +1 `, on("queues").stdout)
	hidden := on("tasks", "-queue", queue)
	assert.Equal(t, inspect.StatusUnsupported, hidden.status)
	assert.Contains(t, hidden.stderr, "machinery-inspect -browse")
	assert.Regexp(t, `task-1 +orders.ship`, on("-browse", "tasks", "-queue", queue).stdout)
	assert.Contains(t, on("dead", "-queue", queue).stdout, "connection refused")
	assert.Equal(t, inspect.StatusOK, on("replay", "-queue", queue, "-filter", "count = 3", "-yes").status)
	assert.Regexp(t, `rabbitmq +`+queue+` +2 `, on("queues").stdout)
}

func TestServersThatCannotBeMeantOrReachedAreSaidSo(t *testing.T) {
	for arguments, want := range map[string]outcome{
		"queues":                             {2, "", "no server: want -redis url or -amqp url before the command"},
		"-redis localhost:6379 queues":       {2, "", "want redis://user:password@host:port"},
		"-redis redis://:s3cret@[::1 queues": {2, "", "-redis: "},
		"-amqp amqp://u:s3cret@%zz/ queues":  {2, "", "-amqp: "},
		"-redis redis://127.0.0.1:1 queues":  {5, "", "connection refused"},
		"":                                   {2, "", "no command: want one of queues, tasks,"},
	} {
		got := call(t, strings.Fields(arguments)...)
		assert.Equal(t, want.status, got.status, arguments)
		assert.Contains(t, got.stderr, want.stderr, arguments)
		assert.NotContains(t, got.stderr, "s3cret", arguments)
	}
	assert.Contains(t, call(t, "help").stdout, "lock check")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Equal(t, inspect.StatusInterrupted, run(ended, []string{"-redis", "redis://127.0.0.1:1", "queues"}, nil, new(strings.Builder), new(strings.Builder)))
}
