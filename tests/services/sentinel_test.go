package services

import (
	"context"
	"testing"

	goredis "github.com/go-redis/redis/v8"
)

func TestReplicaTakesOverFromAKilledMaster(t *testing.T) {
	ctx := context.Background()
	s := OwnRedisSentinel(t)
	client := goredis.NewFailoverClient(&goredis.FailoverOptions{SentinelAddrs: s.Addresses, MasterName: s.MasterName})
	defer client.Close()
	if err := client.Set(ctx, "key", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := replicates(ctx, s.servers[0]); err != nil {
		t.Fatal(err)
	}
	s.KillMaster(t)
	ctx, cancel := context.WithTimeout(ctx, start)
	defer cancel()
	err := await(ctx, func() error { return client.Get(ctx, "key").Err() })
	if err != nil {
		t.Fatal(err)
	}
}
