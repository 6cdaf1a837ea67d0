package redisadapter_test

import (
	"fmt"
	"slices"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// One queue lies on one master of a Redis Cluster. Split in four it lies on all three: senders and workers say the same,
// and name the queue as ever.
func ExampleWithShards() {
	server, printed, end := exampleServer(redisadapter.WithShards(4))
	defer end()
	for _, city := range []string{"Aachen", "Bonn", "Celle"} {
		send(server, "machinery_tasks", city, 0)
	}
	pending, err := server.GetBroker().GetPendingTasks("machinery_tasks")
	if err != nil {
		panic(err)
	}
	fmt.Println(len(pending), "wait in", pending[0].RoutingKey)

	worker := server.NewWorker("example", 1)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	done := []string{<-printed, <-printed, <-printed}
	slices.Sort(done) // those of different shards come in any order
	fmt.Println(done)
	worker.Quit()
	<-ended
	// Output:
	// 3 wait in machinery_tasks
	// [Aachen Bonn Celle]
}
