package middleware_test

import (
	"context"
	"fmt"

	"github.com/RichardKnop/machinery/v2/brokers/eager"
	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Only what somebody with the key has sent runs.
func ExampleSignTasks() {
	// An application reads the keyset from where it keeps its secrets.
	keys, err := keyset.NewHandle(mac.HMACSHA256Tag256KeyTemplate())
	if err != nil {
		panic(err)
	}
	key, err := mac.New(keys)
	if err != nil {
		panic(err)
	}
	server := eagerServer()
	m, err := middleware.Install(server, envelope.NewRegistry(), middleware.SignTasks(key), middleware.WithDeadLetters(printedLetters{}))
	if err != nil {
		panic(err)
	}
	err = server.RegisterTask("refund", func(id string) error {
		fmt.Println("refund", id)
		return nil
	})
	if err != nil {
		panic(err)
	}
	worker := m.NewWorker("worker", 2)
	server.GetBroker().(eager.Mode).AssignWorker(worker)

	refund := func(id string) *tasks.Signature {
		return &tasks.Signature{Name: "refund", Args: []tasks.Arg{{Type: "string", Value: id}}}
	}
	if _, err := m.SendTask(context.Background(), refund("o-1")); err != nil {
		panic(err)
	}
	// Somebody else writes to the queue.
	queue := server.GetBroker().(interface{ Unwrap() brokersiface.Broker }).Unwrap()
	if err := queue.Publish(context.Background(), refund("o-666")); err != nil {
		panic(err)
	}
	// Output:
	// refund o-1
	// dead: refund task "refund": not signed: let its sender have `middleware.SignTasks(mac)`
}

// An int64 goes in an envelope too, where encryption can get hold of it.
func ExampleEnvelopeAll() {
	server := eagerServer()
	m, err := middleware.Install(server, envelope.NewRegistry(), middleware.EnvelopeAll())
	if err != nil {
		panic(err)
	}
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("worker", 2))
	if err := m.RegisterTask("double", func(n int64) (int64, error) { return 2 * n, nil }); err != nil {
		panic(err)
	}
	ctx := context.Background()
	signature, err := m.Signature(ctx, "double", int64(21))
	if err != nil {
		panic(err)
	}
	fmt.Println(signature.Args[0].Value)
	result, err := m.SendTask(ctx, signature)
	if err != nil {
		panic(err)
	}
	fmt.Println(middleware.Await[int64](ctx, m, result))
	// Output:
	// {"$envelope":1,"type":"int64","data":21}
	// 42 <nil>
}
