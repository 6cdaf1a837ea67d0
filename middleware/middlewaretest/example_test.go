package middlewaretest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/middleware/middlewaretest"
)

// exampleT stands for the *testing.T of your test. It prints the failure where that would end the test.
type exampleT struct{ cleanups []func() }

func (t *exampleT) Helper()                           {}
func (t *exampleT) Cleanup(f func())                  { t.cleanups = append(t.cleanups, f) }
func (t *exampleT) Fatalf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (t *exampleT) Context() context.Context          { return context.Background() }
func (t *exampleT) end() {
	for _, f := range t.cleanups {
		f()
	}
}

// must returns the value of a call that succeeds.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func registerTasks(m *middleware.Middleware) error {
	return m.RegisterTasks(map[string]any{"orders.price": price, "orders.cheapest": cheapest})
}

// newExample returns a server with the tasks of a shop.
func newExample() (*exampleT, *middlewaretest.Server) {
	t := new(exampleT)
	s := middlewaretest.NewServer(t, newRegistry())
	if err := registerTasks(s.Middleware); err != nil {
		panic(err)
	}
	return t, s
}

func ExampleNewServer() {
	t := new(exampleT) // the *testing.T of your test
	defer t.end()

	s := middlewaretest.NewServer(t, newRegistry())
	if err := registerTasks(s.Middleware); err != nil {
		t.Fatalf("%v", err)
	}
	signature, _ := s.Middleware.Signature(t.Context(), "orders.price", Order{ID: "o-1", Qty: 3}, 250)
	result, _ := s.SendTask(signature)
	s.Run(t.Context())
	quote, err := middleware.Await[Quote](t.Context(), s.Middleware, result)
	fmt.Println(quote, err)
	// Output: {o-1 750} <nil>
}

// A process that sends, and one that works.
func ExampleServer_Connect() {
	t, worker := newExample()
	defer t.end()

	sender := worker.Connect(newRegistry())
	signature := must(sender.Middleware.Signature(t.Context(), "orders.price", order, 250))
	result := must(sender.SendTask(signature))
	fmt.Println(worker.Run(t.Context()), "task ran")
	fmt.Println(middleware.Await[Quote](t.Context(), sender.Middleware, result))
	// Output:
	// 1 task ran
	// {o-1 750} <nil>
}

func ExampleServer_Advance() {
	t, s := newExample()
	defer t.end()

	signature := must(s.Middleware.Signature(t.Context(), "orders.price", order, 250))
	tomorrow := time.Now().Add(24 * time.Hour)
	signature.ETA = &tomorrow
	must(s.SendTask(signature))
	fmt.Println(s.Run(t.Context()), "ran today")
	s.Advance(24 * time.Hour)
	fmt.Println(s.Run(t.Context()), "ran tomorrow")
	// Output:
	// 0 ran today
	// 1 ran tomorrow
}

func ExampleServer_RunOne() {
	t, s := newExample()
	defer t.end()

	price := must(s.Middleware.Signature(t.Context(), "orders.price", order, 250))
	then := must(s.Middleware.Signature(t.Context(), "orders.cheapest"))
	chain := must(tasks.NewChain(price, then))
	must(s.SendChain(chain))
	for s.RunOne() {
		state := must(s.GetBackend().GetState(then.UUID))
		fmt.Println(state.State)
	}
	// Output:
	// PENDING
	// SUCCESS
}

func ExampleServer_Worker() {
	t, s := newExample()
	defer t.end()

	s.Worker().SetPostTaskHandler(func(s *tasks.Signature) { fmt.Println("ran", s.Name) })
	must(s.SendTask(must(s.Middleware.Signature(t.Context(), "orders.price", order, 250))))
	s.Run(t.Context())
	// Output: ran orders.price
}

func ExampleRun() {
	t, s := newExample()
	defer t.end()

	signature := must(s.Middleware.Signature(t.Context(), "orders.price", order, 250))
	quote, err := middlewaretest.Run[Quote](t, s.Middleware, signature)
	fmt.Println(quote, err)
	// Output: {o-1 750} <nil>
}

// What the failure of an assertion tells.
func ExampleRequireSent() {
	t, s := newExample()
	defer t.end()
	must(s.SendTask(must(s.Middleware.Signature(t.Context(), "orders.price", order, 250)))) // by the code under test

	middlewaretest.RequireSent(t, s, "orders.price", func(o Order) bool { return o.ID == "o-1" })
	middlewaretest.RequireSent(t, s, "orders.price", func(o Order) bool { return o.ID == "o-2" })
	// Output:
	// middlewaretest: no task "orders.price" was sent with such a middlewaretest_test.Order
	// sent:
	//   1. orders.price(middlewaretest_test.Order{ID:o-1 Qty:3}, 250) in queue middlewaretest
	// nearest: 1, but the function returns false for middlewaretest_test.Order{ID:o-1 Qty:3}
}

func ExampleRequireNotSent() {
	t, s := newExample()
	defer t.end()

	middlewaretest.RequireNotSent[Order](t, s, "orders.price", nil)
	// Output:
}

func ExampleSent() {
	t, s := newExample()
	defer t.end()

	must(s.SendTask(must(s.Middleware.Signature(t.Context(), "orders.price", order, 250))))
	for _, task := range middlewaretest.Sent(s) {
		fmt.Println(task.Name, task.Queue, task.Args[0].(Order).Qty)
	}
	// Output: orders.price middlewaretest 3
}

// A task that adds is not idempotent. One that sets is.
func ExampleRequireIdempotent() {
	t, s := newExample()
	defer t.end()
	stock := 10
	_ = s.Middleware.RegisterTask("stock.set", func(n int) error {
		stock = n
		return nil
	})

	signature := must(s.Middleware.Signature(t.Context(), "stock.set", 7))
	middlewaretest.RequireIdempotent(t, s, signature, func() any { return stock })
	// Output:
}

func ExampleServer_FailPublish() {
	t, s := newExample()
	defer t.end()

	signature := must(s.Middleware.Signature(t.Context(), "orders.price", order, 250))
	s.FailPublish(1)
	_, err := s.SendTask(signature)
	fmt.Println(err)
	_, err = s.SendTask(signature)
	fmt.Println(err)
	// Output:
	// Publish message error: publish task orders.price: the broker refuses the task, as FailPublish has it
	// <nil>
}

func ExampleServer_LoseConnection() {
	t, s := newExample()
	defer t.end()

	must(s.SendTask(must(s.Middleware.Signature(t.Context(), "orders.price", order, 250))))
	s.LoseConnection()
	fmt.Println("the task ran", s.Run(t.Context()), "times")
	// Output: the task ran 2 times
}

func ExampleServer_Redeliver() {
	t, s := newExample()
	defer t.end()

	result := must(s.SendTask(must(s.Middleware.Signature(t.Context(), "orders.price", order, 250))))
	s.Run(t.Context())
	s.Redeliver(result.Signature.UUID)
	fmt.Println(s.Run(t.Context()), "more")
	// Output: 1 more
}

func ExampleServer_KillWorkerAfter() {
	t, s := newExample()
	defer t.end()
	_ = s.Middleware.RegisterTask("work", func() error {
		fmt.Println("working")
		return nil
	})

	result := must(s.SendTask(must(s.Middleware.Signature(t.Context(), "work"))))
	s.KillWorkerAfter(2) // it has set RECEIVED and STARTED
	s.RunOne()
	fmt.Println(result.GetState().State)
	s.RunOne()
	fmt.Println(result.GetState().State)
	// Output:
	// working
	// STARTED
	// working
	// SUCCESS
}

func ExampleServer_Corrupt() {
	t, s := newExample()
	defer t.end()

	result := must(s.SendTask(must(s.Middleware.Signature(t.Context(), "orders.price", order, 250))))
	s.Corrupt(result.Signature.UUID, "Args[0].Value.data.qty")
	s.Run(t.Context())
	_, err := middleware.Await[Quote](t.Context(), s.Middleware, result)
	fmt.Println(err)
	// Output: task "orders.price": argument 1 (middlewaretest_test.Order): orders.Order.Qty: expected a number, found an array
}

func ExampleServer_DeadLetters() {
	t := new(exampleT)
	defer t.end()
	s := middlewaretest.NewServer(t, newRegistry(), middleware.WithDeadLetterFailures())
	_ = s.Middleware.RegisterTask("orders.take", func(Order) error { return errors.New("out of stock") })

	must(s.SendTask(must(s.Middleware.Signature(t.Context(), "orders.take", order))))
	s.Run(t.Context())
	for _, letter := range s.DeadLetters() {
		var o Order
		_ = middleware.ReadArg(t.Context(), s.Middleware, letter.Task.Args[0], &o)
		fmt.Println(letter.Task.Name, o.ID, letter.Reason)
	}
	// Output: orders.take o-1 out of stock
}
