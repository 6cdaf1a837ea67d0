package redisadapter_test

import (
	"fmt"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// exampleServer is a server on an embedded Redis, with the task "print" of a name.
func exampleServer(opts ...redisadapter.BrokerOption) (server *machinery.Server, printed chan string, end func()) {
	embedded, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	client := redis.NewClient(&redis.Options{Addr: embedded.Addr()})
	cnf := &config.Config{DefaultQueue: "machinery_tasks", NoUnixSignals: true}
	broker, backend := redisadapter.NewBroker(cnf, client, opts...), redisadapter.NewBackend(cnf, client)
	server = machinery.NewServer(cnf, broker, backend, redisadapter.NewLock(client))
	printed = make(chan string, 10)
	if err := server.RegisterTask("print", func(name string) error { printed <- name; return nil }); err != nil {
		panic(err)
	}
	return server, printed, func() {
		_ = client.Close()
		embedded.Close()
	}
}

func send(server *machinery.Server, queue, name string, priority uint8) {
	_, err := server.SendTask(&tasks.Signature{
		Name: "print", RoutingKey: queue, Priority: priority, Args: []tasks.Arg{{Type: "string", Value: name}},
	})
	if err != nil {
		panic(err)
	}
}

// printAll runs a worker that does one task at a time until it has done so many.
func printAll(server *machinery.Server, printed chan string, many int) {
	worker := server.NewWorker("example", 1)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	for range many {
		fmt.Println(<-printed)
	}
	worker.Quit()
	<-ended
}

// A worker empties the queue of urgent tasks before it takes another.
func ExampleWithQueues() {
	server, printed, end := exampleServer(redisadapter.WithQueues("urgent", "machinery_tasks"))
	defer end()
	send(server, "", "a report", 0)
	send(server, "urgent", "an order", 0)
	printAll(server, printed, 2)
	// Output:
	// an order
	// a report
}

// Of two reports and two orders, each queue gets its share, so that no task waits for all of another queue.
func ExampleWithQueueWeights() {
	weights := map[string]int{"orders": 1, "reports": 1}
	server, printed, end := exampleServer(redisadapter.WithQueueWeights(weights))
	defer end()
	send(server, "reports", "report 1", 0)
	send(server, "reports", "report 2", 0)
	send(server, "orders", "order 1", 0)
	send(server, "orders", "order 2", 0)
	printAll(server, printed, 4)
	// Output:
	// order 1
	// report 1
	// order 2
	// report 2
}

// Tasks of a high priority overtake the others of their queue.
func ExampleWithPriorities() {
	server, printed, end := exampleServer(redisadapter.WithPriorities())
	defer end()
	began, sent := make(chan bool), make(chan bool)
	err := server.RegisterTask("busy", func() error {
		began <- true
		<-sent
		return nil
	})
	if err != nil {
		panic(err)
	}
	if _, err := server.SendTask(&tasks.Signature{Name: "busy"}); err != nil {
		panic(err)
	}
	go func() {
		<-began // so a worker consumes the queue, and is busy
		send(server, "", "none", 0)
		send(server, "", "low", 1)
		send(server, "", "high", 9)
		close(sent)
	}()
	printAll(server, printed, 3)
	// Output:
	// high
	// low
	// none
}
