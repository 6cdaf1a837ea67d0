package amqpadapter_test

import (
	"context"
	"fmt"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
)

// A server on RabbitMQ. The broker connects with the first task, so nothing is sent here.
func Example() {
	cnf := &config.Config{
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
	server := machinery.NewServer(cnf, amqpadapter.NewBroker(cnf), amqpadapter.NewBackend(cnf), eager.New())
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
