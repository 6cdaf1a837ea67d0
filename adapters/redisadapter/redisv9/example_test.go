package redisv9_test

import (
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter/redisv9"
)

// A server on the Redis of an application that has a client of go-redis v9. The Redis here is an embedded one.
func Example() {
	embedded, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	defer embedded.Close()
	application := redis.NewClient(&redis.Options{Addr: embedded.Addr(), DB: 1})
	defer application.Close()

	client, err := redisv9.ClientFromV9(application)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	cnf := &config.Config{DefaultQueue: "machinery_tasks", NoUnixSignals: true}
	server := machinery.NewServer(cnf,
		redisadapter.NewBroker(cnf, client),
		redisadapter.NewBackend(cnf, client),
		redisadapter.NewLock(client),
	)
	if err := server.RegisterTask("double", func(n int64) (int64, error) { return 2 * n, nil }); err != nil {
		panic(err)
	}
	worker := server.NewWorker("worker", 2)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)

	result, err := server.SendTask(&tasks.Signature{Name: "double", Args: []tasks.Arg{{Type: "int64", Value: 21}}})
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
	// 42
	// <nil>
}

// With Sentinel, the options make the better client.
func ExampleFailoverClientFromV9() {
	options := &redis.FailoverOptions{
		MasterName:    "mymaster",
		SentinelAddrs: []string{"10.0.0.1:26379", "10.0.0.2:26379", "10.0.0.3:26379"},
	}
	client, err := redisv9.FailoverClientFromV9(options)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	fmt.Println(client.Options().Addr)
	// Output: FailoverClient
}
