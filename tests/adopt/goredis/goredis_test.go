package goredis

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestTheApplicationDoesTheSameBeforeAndAfter(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, client.Set(ctx, "stock:tea", 7, 0).Err())
	for name, run := range map[string]func(context.Context, *redis.Client) (Stock, error){
		"before": Before, "after": After, "with redisadapter": Adapted,
	} {
		t.Run(name, func(t *testing.T) {
			stock, err := run(ctx, client)
			require.NoError(t, err)
			require.Equal(t, Stock{SKU: "tea", Left: 7}, stock)
		})
	}
}
