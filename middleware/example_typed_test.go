package middleware_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/RichardKnop/machinery/v2"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Declared once, where senders and workers see it.
var Price = middleware.NewTask[Order, Quote]("orders.price")

// The compiler knows what a typed task takes and returns.
func ExampleTask() {
	_, m := installed()
	err := Price.Register(m, func(_ context.Context, o Order) (Quote, error) {
		return Quote{OrderID: o.ID, Cents: int64(o.Qty) * 250}, nil
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	result, err := Price.Send(ctx, m, Order{ID: "o-1", Qty: 3}, func(s *tasks.Signature) { s.RetryCount = 2 })
	if err != nil {
		panic(err)
	}
	fmt.Println(result.Get(ctx))
	// Output: {o-1 750} <nil>
}

// Many tasks are sent at once, and the results are in their order.
func ExampleMiddleware_SendTasks() {
	_, m := installed()
	err := m.RegisterTask("orders.price", func(o Order) (Quote, error) { return Quote{o.ID, int64(o.Qty) * 250}, nil })
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	priceOf := func(value any) *tasks.Signature {
		return &tasks.Signature{Name: "orders.price", Args: []tasks.Arg{{Value: value}}}
	}
	results, err := m.SendTasks(ctx, priceOf(Order{"o-1", 3}), priceOf(Order{"o-2", 1}))
	if err != nil {
		panic(err)
	}
	for _, result := range results {
		fmt.Println(middleware.Await[Quote](ctx, m, result))
	}
	// Where one is refused, none is sent.
	_, err = m.SendTasks(ctx, priceOf(Order{"o-3", 2}), priceOf(struct{ ID string }{"o-4"}))
	var failure *middleware.SendError
	if errors.As(err, &failure) {
		fmt.Println(failure.Sent, "sent; refused: index", failure.Failed[0].Index)
	}
	// Output:
	// {o-1 750} <nil>
	// {o-2 250} <nil>
	// 0 sent; refused: index 1
}

// A chord whose callback takes what its members return.
func ExampleMiddleware_SendChord() {
	_, m := installed()
	err := m.RegisterTasks(map[string]any{
		"orders.price": func(o Order) (Quote, error) { return Quote{o.ID, int64(o.Qty) * 250}, nil },
		"orders.total": func(quotes ...Quote) (total int64, err error) {
			for _, q := range quotes {
				total += q.Cents
			}
			return total, nil
		},
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	var members []*tasks.Signature
	for _, o := range []Order{{"o-1", 3}, {"o-2", 1}} {
		member, err := m.Signature(ctx, "orders.price", o)
		if err != nil {
			panic(err)
		}
		members = append(members, member)
	}
	group, err := tasks.NewGroup(members...)
	if err != nil {
		panic(err)
	}
	chord, err := tasks.NewChord(group, &tasks.Signature{Name: "orders.total"})
	if err != nil {
		panic(err)
	}
	result, err := m.SendChord(ctx, chord, 1)
	if err != nil {
		panic(err)
	}
	fmt.Println(middleware.Await[int64](ctx, m, result))
	// Output: 1000 <nil>
}

type OutOfStock struct{ SKU string }

func (o *OutOfStock) Error() string { return "out of " + o.SKU }

// An error type that is registered like any other arrives as itself.
func ExampleTaskError() {
	registry := envelope.NewRegistry()
	envelope.MustRegister[OutOfStock](registry, "orders.OutOfStock")
	server := eagerServer()
	m, err := middleware.Install(server, registry)
	if err != nil {
		panic(err)
	}
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("worker", 2))
	err = m.RegisterTask("orders.ship", func(id string) error {
		return fmt.Errorf("ship %s: %w", id, &OutOfStock{SKU: "tea"})
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	signature, err := m.Signature(ctx, "orders.ship", "o-1")
	if err != nil {
		panic(err)
	}
	result, err := m.SendTask(ctx, signature)
	if err != nil {
		panic(err)
	}
	_, err = middleware.Await[struct{}](ctx, m, result)
	var missing *OutOfStock
	fmt.Println(err, errors.As(err, &missing), missing.SKU)
	// Output: ship o-1: out of tea true tea
}

// printedLetters prints what comes.
type printedLetters struct{}

func (printedLetters) Push(_ context.Context, s *tasks.Signature, reason error) error {
	fmt.Println("dead:", s.Name, reason)
	return nil
}

// What no worker can do goes to the dead letters, as it came.
func ExampleWithDeadLetters() {
	registry := envelope.NewRegistry()
	envelope.MustRegister[Order](registry, "orders.Order")
	server := machinery.NewServer(&config.Config{}, eager.New(), eagerbackend.New(), eagerlock.New())
	m, err := middleware.Install(server, registry, middleware.WithDeadLetters(printedLetters{}))
	if err != nil {
		panic(err)
	}
	server.GetBroker().(eager.Mode).AssignWorker(m.NewWorker("worker", 2))
	if err := m.RegisterTask("orders.ship", func(Order) error { return nil }); err != nil {
		panic(err)
	}
	_, err = m.SendTask(context.Background(), &tasks.Signature{
		Name: "orders.ship",
		Args: []tasks.Arg{{Type: "int64", Value: 7}},
	})
	if err != nil {
		panic(err)
	}
	// Output:
	// dead: orders.ship task "orders.ship": argument 1 (middleware_test.Order): type mismatch: got int64: send a value of type middleware_test.Order
}
