package redisadapter_test

import (
	"context"
	"fmt"
	"time"

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
