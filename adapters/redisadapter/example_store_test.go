package redisadapter_test

import (
	"context"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	lock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func ExampleNewStore() {
	server, err := miniredis.Run()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()

	store := redisadapter.NewStore(client, redisadapter.WithStoreExpiry(30*24*time.Hour))
	ctx := context.Background()
	ref, err := store.Put(ctx, []byte("a report of many pages"))
	if err != nil {
		fmt.Println(err)
		return
	}
	data, err := store.Get(ctx, ref, 1<<20)
	fmt.Println(ref[:10]+"…", string(data), err)
	// Output: sha256:498… a report of many pages <nil>
}

func ExampleNewClusterClient() {
	client := redisadapter.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{"redis-1:6379", "redis-2:6379", "redis-3:6379"},
	})
	defer client.Close()
	cnf := &config.Config{DefaultQueue: "machinery_tasks"}
	broker, backend := redisadapter.NewBroker(cnf, client), redisadapter.NewBackend(cnf, client)
	server := machinery.NewServer(cnf, broker, backend, lock.New())
	fmt.Println(server.GetConfig().DefaultQueue)

	// Output: machinery_tasks
}
