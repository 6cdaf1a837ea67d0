package redisadapter_test

import (
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
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
