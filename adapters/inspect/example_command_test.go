package inspect_test

import (
	"context"
	"fmt"
	"os"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/tests/inspecttest"
)

// newBuried has dead letters of two tasks. An application has redisadapter.NewSource or amqpadapter.NewSource.
func newBuried() *inspecttest.Source {
	source := inspecttest.New("redis")
	for i, reason := range []string{"connection refused", "no such customer"} {
		task := &tasks.Signature{UUID: fmt.Sprint("task-", i), Name: "orders.ship", Args: []tasks.Arg{{Name: "customer", Type: "int64", Value: 42 + i}}}
		source.AddLetter("orders", deadletter.Letter{ID: fmt.Sprint("letter-", i), Task: task, UUID: task.UUID, Queue: "orders", Reason: reason})
	}
	return source
}

// What is wrong with a filter is said with the place and an example.
func ExampleParseFilter() {
	filter, err := inspect.ParseFilter(`order.customer.id=42 and age > 2h`)
	fmt.Println(filter, err)
	_, err = inspect.ParseFilter(`order.customer.id is 42`)
	fmt.Println(err)
	// Output:
	// order.customer.id = 42 and age > 2h <nil>
	// filter, column 19: want one of = != ~ !~ < <= > >=; for example: order.customer.id = 42
}

// What is chosen is counted before it is acted on.
func ExampleSelectLetters() {
	ctx := context.Background()
	filter, err := inspect.ParseFilter("customer = 42")
	if err != nil {
		panic(err)
	}
	selected, err := inspect.SelectLetters(ctx, newBuried(), nil, "orders", filter)
	if err != nil {
		panic(err)
	}
	fmt.Println(selected.Count)
	outcome, err := selected.Replay(ctx, func(p inspect.Progress) { fmt.Println(p.Done, "of", p.Total) })
	fmt.Println(outcome.Done, outcome.Failed, err)
	// Output:
	// 1
	// 1 of 1
	// 1 0 <nil>
}

// A program has the command as a part of its own. One that is nothing else calls Main.
func ExampleCommand() {
	command := inspect.Command{Name: "shop inspect", Sources: []inspect.Source{newBuried()}, Stdout: os.Stdout}
	status := command.Run(context.Background(), []string{"dead", "-queue", "orders", "-filter", "reason ~ refused"})
	fmt.Println(status)
	// Output:
	// ID        TASK         UUID    AGE  REASON              ARGUMENTS
	// letter-0  orders.ship  task-0  -    connection refused  42
	// 0
}
