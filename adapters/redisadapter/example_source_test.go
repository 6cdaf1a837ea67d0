package redisadapter_test

import (
	"context"
	"fmt"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func ExampleNewSource() {
	server, err := miniredis.Run()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	cnf := &config.Config{DefaultQueue: "machinery_tasks"}
	broker := redisadapter.NewBroker(cnf, client)
	ctx := context.Background()
	for _, uuid := range []string{"task_1", "task_2"} {
		if err := broker.Publish(ctx, &tasks.Signature{UUID: uuid, Name: "charge"}); err != nil {
			fmt.Println(err)
			return
		}
	}

	source := redisadapter.NewSource(cnf, client)
	if err := source.Pause(ctx, "machinery_tasks"); err != nil {
		fmt.Println(err)
	}
	if err := source.Delete(ctx, "task_1"); err != nil {
		fmt.Println(err)
	}
	queues, err := source.Queues(ctx)
	if err != nil {
		fmt.Println(err)
	}
	for _, queue := range queues {
		fmt.Println(queue.Name, "waiting:", queue.Waiting, "paused:", queue.Paused)
	}
	page, err := source.Tasks(ctx, "machinery_tasks", inspect.Waiting, inspect.Page{})
	if err != nil {
		fmt.Println(err)
	}
	for _, task := range page.Tasks {
		fmt.Println(task.UUID, task.Name)
	}
	// Output:
	// machinery_tasks waiting: 1 paused: true
	// task_2 charge
}
