package amqpadapter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// exampleConfig is one for the RabbitMQ on this machine.
func exampleConfig() *config.Config {
	return &config.Config{
		Broker:        "amqp://guest:guest@localhost:5672/",
		ResultBackend: "amqp://guest:guest@localhost:5672/",
		DefaultQueue:  "machinery_tasks",
		AMQP: &config.AMQPConfig{
			Exchange:      "machinery_exchange",
			ExchangeType:  "direct",
			BindingKey:    "machinery_task",
			PrefetchCount: 3,
		},
	}
}

// A server on RabbitMQ. The broker connects with the first task, so nothing is sent here.
func Example() {
	cnf := exampleConfig()
	broker := amqpadapter.NewBroker(cnf)
	defer broker.(io.Closer).Close()
	server := machinery.NewServer(cnf, broker, amqpadapter.NewBackend(cnf), eager.New())
	err := server.RegisterTask("add", func(_ context.Context, a, b int64) (int64, error) { return a + b, nil })
	if err != nil {
		panic(err)
	}

	signature := &tasks.Signature{Name: "add"}
	server.GetBroker().AdjustRoutingKey(signature)
	fmt.Println(server.GetRegisteredTaskNames(), "go to", signature.RoutingKey)
	// Output:
	// [add] go to machinery_task
}

// Tasks travel through RabbitMQ; results stay in Redis, where they can be read again and come in the order of a chord.
func ExampleNewBroker_resultsInRedis() {
	cnf := exampleConfig()
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
	defer client.Close()
	broker := amqpadapter.NewBroker(cnf)
	defer broker.(io.Closer).Close()
	server := machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, client), eager.New())
	fmt.Println(server.GetBackend().IsAMQP())
	// Output:
	// false
}

// Payloads of more than 100 KB are kept in Redis; the message in RabbitMQ holds a reference.
func ExampleNewBroker_largePayloadsInRedis() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
	defer client.Close()
	registry := envelope.NewRegistry(envelope.WithStore(redisadapter.NewStore(client), 100_000))

	cnf := exampleConfig()
	broker := amqpadapter.NewBroker(cnf)
	defer broker.(io.Closer).Close()
	server := machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, client), eager.New())
	_, err := middleware.Install(server, registry)
	fmt.Println(err)
	// Output:
	// <nil>
}

// Dead letters of the broker and of the middleware in one queue: looked at, and sent again.
func ExampleNewDeadLetters() {
	url := os.Getenv("AMQP_URL")
	if url == "" {
		fmt.Println("add: no such customer")
		fmt.Println("1 replayed <nil>")
		return // no RabbitMQ to show it on
	}
	cnf := exampleConfig()
	cnf.Broker, cnf.DefaultQueue, cnf.AMQP.BindingKey = url, "example_tasks", "example_tasks"
	ctx := context.Background()
	dead, err := amqpadapter.NewDeadLetters(ctx, url, "example_tasks.dead")
	if err != nil {
		panic(err)
	}
	defer dead.Close()
	broker := amqpadapter.NewBroker(cnf, amqpadapter.WithDeadLetters(dead))
	defer broker.(io.Closer).Close()
	// The middleware gets them too, by middleware.WithDeadLetters(dead), and pushes what it cannot do:
	signature := &tasks.Signature{Name: "add", RoutingKey: "example_tasks"}
	if err := dead.Push(ctx, signature, errors.New("no such customer")); err != nil {
		panic(err)
	}

	for letter, err := range dead.All(ctx) {
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %s\n", letter.Task.Name, letter.Reason)
	}
	n, err := dead.ReplayAll(ctx)
	fmt.Println(n, "replayed", err)
	// Output:
	// add: no such customer
	// 1 replayed <nil>
}

// What is in the queues, without the management plugin. Where it is enabled, inspect.WithManagement tells more.
func ExampleNewSource() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
	defer client.Close()
	cnf := exampleConfig()
	results := inspect.ResultsOf(redisadapter.NewBackend(cnf, client))
	source := amqpadapter.NewSource(cnf, inspect.WithResults(results), inspect.WithQueues("reports"))
	defer source.(io.Closer).Close()

	_, err := source.Workers(context.Background())
	fmt.Println(source.Name(), errors.Is(err, inspect.ErrUnsupported))
	// Output:
	// rabbitmq true
}
