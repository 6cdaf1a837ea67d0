package services

import (
	"context"
	"fmt"
	"strings"
	"testing"

	goredis "github.com/go-redis/redis/v8"
)

func TestEachKeyOfAClusterHasOneMaster(t *testing.T) {
	ctx := context.Background()
	kept := make(map[string]int)
	for _, address := range RedisCluster(t) {
		client := goredis.NewClient(&goredis.Options{Addr: address})
		defer client.Close()
		for i := range 100 {
			key := fmt.Sprint("key", i)
			err := client.Set(ctx, key, i, 0).Err()
			if err == nil {
				kept[key]++
			} else if !strings.HasPrefix(err.Error(), "MOVED ") {
				t.Error(err)
			}
		}
		if size := client.DBSize(ctx).Val(); size == 0 || size == 100 {
			t.Errorf("%s keeps %d of 100 keys", address, size)
		}
	}
	for key, masters := range kept {
		if masters != 1 {
			t.Errorf("%s is kept by %d masters", key, masters)
		}
	}
	if len(kept) != 100 {
		t.Errorf("%d of 100 keys kept", len(kept))
	}
}
