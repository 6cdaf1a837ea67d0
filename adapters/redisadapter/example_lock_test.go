package redisadapter_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// Every process of a fleet registers the same periodic task, and one of them sends it.
func ExampleNewLock() {
	embedded, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	defer embedded.Close()
	client := redis.NewClient(&redis.Options{Addr: embedded.Addr()})
	defer client.Close()

	cnf := &config.Config{DefaultQueue: "machinery_tasks"}
	broker, backend := redisadapter.NewBroker(cnf, client), redisadapter.NewBackend(cnf, client)
	server := machinery.NewServer(cnf, broker, backend, redisadapter.NewLock(client))
	if err := server.RegisterPeriodicTask("0 6 * * *", "daily", &tasks.Signature{Name: "reports.daily"}); err != nil {
		panic(err)
	}

	// What two processes do at six o'clock, when the next firing is a day later.
	next := time.Now().Add(24 * time.Hour).UnixNano()
	first, second := redisadapter.NewLock(client), redisadapter.NewLock(client)
	fmt.Println("first:", first.LockWithRetries("daily", next))
	fmt.Println("second is too late:", errors.Is(second.LockWithRetries("daily", next), redisadapter.ErrLockHeld))
	// Output:
	// first: <nil>
	// second is too late: true
}
