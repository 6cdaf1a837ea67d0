package redisadapter_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// A server and a worker on a client of your own. The Redis here is an embedded one; yours has its own address.
func Example() {
	embedded, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	defer embedded.Close()
	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{embedded.Addr()}})
	defer client.Close()

	cnf := &config.Config{DefaultQueue: "machinery_tasks", NoUnixSignals: true}
	server := machinery.NewServer(cnf,
		redisadapter.NewBroker(cnf, client),
		redisadapter.NewBackend(cnf, client),
		eager.New(),
	)
	err = server.RegisterTask("add", func(a, b int64) (int64, error) { return a + b, nil })
	if err != nil {
		panic(err)
	}
	worker := server.NewWorker("worker", 2)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)

	result, err := server.SendTask(&tasks.Signature{
		Name: "add",
		Args: []tasks.Arg{{Type: "int64", Value: 3}, {Type: "int64", Value: 4}},
	})
	if err != nil {
		panic(err)
	}
	values, err := result.GetWithTimeout(10*time.Second, 5*time.Millisecond)
	if err != nil {
		panic(err)
	}
	fmt.Println(tasks.HumanReadableResults(values))

	worker.Quit()
	fmt.Println(<-ended)
	// Output:
	// 7
	// <nil>
}

// Workers share the broker of their server, and worker.Quit stops them all. Quit stops one.
func ExampleQuit() {
	embedded, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	defer embedded.Close()
	client := redis.NewClient(&redis.Options{Addr: embedded.Addr()})
	defer client.Close()

	cnf := &config.Config{DefaultQueue: "machinery_tasks", NoUnixSignals: true}
	server := machinery.NewServer(cnf,
		redisadapter.NewBroker(cnf, client),
		redisadapter.NewBackend(cnf, client),
		eager.New(),
	)
	first, second := server.NewWorker("first", 2), server.NewWorker("second", 2)
	firstEnded, secondEnded := make(chan error, 1), make(chan error, 1)
	first.LaunchAsync(firstEnded)
	second.LaunchAsync(secondEnded)

	if err := redisadapter.Quit(first); err != nil {
		panic(err)
	}
	fmt.Println("first:", <-firstEnded)
	second.Quit()
	fmt.Println("second:", <-secondEnded)
	// Output:
	// first: <nil>
	// second: <nil>
}

// Dead letters of the broker, and those of the middleware (middleware.WithDeadLetters), in one place.
func ExampleNewDeadLetters() {
	embedded, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	defer embedded.Close()
	client := redis.NewClient(&redis.Options{Addr: embedded.Addr()})
	defer client.Close()

	letters := redisadapter.NewDeadLetters(client, "dead_letters",
		redisadapter.WithMaxDeadLetters(1000),
		redisadapter.WithReplayQueues("machinery_tasks"),
	)
	cnf := &config.Config{DefaultQueue: "machinery_tasks"}
	broker := redisadapter.NewBroker(cnf, client,
		redisadapter.WithDeadLetters(letters),
		redisadapter.WithMaxAttempts(5),
	)

	ctx := context.Background()
	signature := &tasks.Signature{Name: "add", UUID: "task_1", RoutingKey: "machinery_tasks"}
	if err := letters.Push(ctx, signature, errors.New("could not be restored")); err != nil {
		panic(err)
	}
	for letter, err := range letters.All(ctx) {
		if err != nil {
			panic(err)
		}
		fmt.Println(letter.UUID, letter.Reason)
	}
	replayed, err := letters.ReplayAll(ctx)
	if err != nil {
		panic(err)
	}
	waiting, err := broker.GetPendingTasks("")
	if err != nil {
		panic(err)
	}
	fmt.Println(replayed, "replayed,", len(waiting), "waiting")
	// Output:
	// task_1 could not be restored
	// 1 replayed, 1 waiting
}

// A task that has failed for good is sent again once what it lacked is there. Until it has succeeded its state is the old
// failure, and so is what Await returns.
func ExampleDeadLetters_ReplayAll() {
	embedded, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	defer embedded.Close()
	client := redis.NewClient(&redis.Options{Addr: embedded.Addr()})
	defer client.Close()
	cnf := &config.Config{DefaultQueue: "machinery_tasks", NoUnixSignals: true}
	letters := redisadapter.NewDeadLetters(client, "machinery_tasks:dead")
	broker := redisadapter.NewBroker(cnf, client, redisadapter.WithDeadLetters(letters))
	server := machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, client), redisadapter.NewLock(client))
	m, err := middleware.Install(server, envelope.NewRegistry(), middleware.WithDeadLetterFailures())
	if err != nil {
		panic(err)
	}
	inStock, ran := false, make(chan bool)
	err = m.RegisterTask("take", func() error {
		defer func() { ran <- true }()
		if !inStock {
			return errors.New("out of stock")
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	work := func(tag string) {
		worker := server.NewWorker(tag, 1)
		ended := make(chan error, 1)
		worker.LaunchAsync(ended)
		<-ran
		if err := redisadapter.Quit(worker); err != nil { // it returns when the letter is kept
			panic(err)
		}
		<-ended
	}
	ctx := context.Background()
	sent, err := m.SendTask(ctx, &tasks.Signature{Name: "take"})
	if err != nil {
		panic(err)
	}
	// A result that has ended keeps how: each of these asks anew.
	await := func() {
		asked := result.NewAsyncResult(&tasks.Signature{UUID: sent.Signature.UUID}, server.GetBackend())
		_, err := middleware.Await[struct{}](ctx, m, asked)
		fmt.Println("error:", err)
	}

	work("first")
	await()
	inStock = true
	fmt.Println(letters.ReplayAll(ctx))
	await()
	work("second") // one that has quit does not start again
	await()
	// Output:
	// error: out of stock
	// 1 <nil>
	// error: out of stock
	// error: <nil>
}
