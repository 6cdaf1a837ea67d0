package middleware_test

import (
	"context"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	machinerylog "github.com/RichardKnop/machinery/v2/log"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestMain(m *testing.M) {
	machinerylog.Set(stdlog.New(io.Discard, "", 0)) // Machinery logs the stack of every failed task
	os.Exit(m.Run())
}

type Order struct {
	ID  string `json:"id"`
	Qty int    `json:"qty"`
}

type Quote struct {
	OrderID string
	Cents   int64
}

// eagerServer makes what an application has already.
func eagerServer() *machinery.Server {
	return machinery.NewServer(&config.Config{}, eager.New(), eagerbackend.New(), eagerlock.New())
}

// installed is a server with the middleware and a worker that runs tasks in place.
func installed() (*machinery.Server, *middleware.Middleware) {
	registry := envelope.NewRegistry()
	envelope.MustRegister[Order](registry, "orders.Order")
	envelope.MustRegister[Quote](registry, "orders.Quote")
	server := eagerServer()
	m, err := middleware.Install(server, registry)
	if err != nil {
		panic(err)
	}
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("worker", 2))
	return server, m
}

// The middleware goes on a server that an application has already.
func ExampleInstall() {
	server := eagerServer()

	registry := envelope.NewRegistry()
	envelope.MustRegister[Order](registry, "orders.Order")
	envelope.MustRegister[Quote](registry, "orders.Quote")
	m, err := middleware.Install(server, registry)
	if err != nil {
		panic(err)
	}
	err = m.RegisterTask("orders.price", func(ctx context.Context, o Order, cents int64) (Quote, error) {
		return Quote{OrderID: o.ID, Cents: int64(o.Qty) * cents}, nil
	})
	if err != nil {
		panic(err)
	}
	// Eager mode runs tasks in place; on Redis or RabbitMQ this is worker.Launch().
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("worker", 2))

	ctx := context.Background()
	signature, err := m.Signature(ctx, "orders.price", Order{ID: "o-1", Qty: 3}, 250)
	if err != nil {
		panic(err)
	}
	fmt.Println(signature.Args[0].Value)
	result, err := server.SendTaskWithContext(ctx, signature)
	if err != nil {
		panic(err)
	}
	quote, err := middleware.Await[Quote](ctx, m, result)
	if err != nil {
		panic(err)
	}
	fmt.Println(quote)
	// Output:
	// {"$envelope":1,"type":"orders.Order","data":{"id":"o-1","qty":3}}
	// {o-1 750}
}

// Arguments by name find their parameters, whatever their order.
func ExampleNamed() {
	server, m := installed()
	price := func(ctx context.Context, o Order, cents int64) (string, error) {
		return fmt.Sprintf("%s costs %d", o.ID, int64(o.Qty)*cents), nil
	}
	if err := m.RegisterTask("orders.price", price, middleware.Params("order", "cents")); err != nil {
		panic(err)
	}
	ctx := context.Background()
	signature, err := m.Signature(ctx, "orders.price",
		middleware.Named("cents", 250),
		middleware.Named("order", Order{ID: "o-1", Qty: 3}))
	if err != nil {
		panic(err)
	}
	result, err := server.SendTaskWithContext(ctx, signature)
	if err != nil {
		panic(err)
	}
	fmt.Println(middleware.Await[string](ctx, m, result))
	// Output: o-1 costs 750 <nil>
}

// A task with several results is read by Scan.
func ExampleScan() {
	server, m := installed()
	err := m.RegisterTask("orders.split", func(o Order) (first, rest Order, err error) {
		return Order{o.ID, 1}, Order{o.ID, o.Qty - 1}, nil
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	signature, err := m.Signature(ctx, "orders.split", Order{ID: "o-1", Qty: 3})
	if err != nil {
		panic(err)
	}
	result, err := server.SendTaskWithContext(ctx, signature)
	if err != nil {
		panic(err)
	}
	var first, rest Order
	if err := middleware.Scan(ctx, m, result, &first, &rest); err != nil {
		panic(err)
	}
	fmt.Println(first, rest)
	// Output: {o-1 1} {o-1 2}
}
