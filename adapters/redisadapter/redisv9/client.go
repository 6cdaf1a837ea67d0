package redisv9

import (
	"context"
	"fmt"
	"reflect"
	"time"

	redisv8 "github.com/go-redis/redis/v8"
	"github.com/redis/go-redis/v9"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// defaultConnMaxIdleTime is that of go-redis v9. ClusterOptions hold zero where it applies.
const defaultConnMaxIdleTime = 30 * time.Minute

// ClientFromV9 makes a go-redis v8 client that connects as a *redis.Client or *redis.ClusterClient of v9 does. It sends
// nothing, and leaves the client of v9 as it is. Of a failover client, which must stay open, FailoverClientFromV9 has
// the better equivalent.
//
// Errors wrap ErrUnsupported: a Ring, another kind of client, or an option without an equivalent, by name.
func ClientFromV9(client redis.UniversalClient) (redisv8.UniversalClient, error) {
	switch client := client.(type) {
	case *redis.Client:
		if client == nil {
			return nil, unsupported("a nil *redis.Client", "give one that redis.NewClient returned")
		}
		return single(client.Options())
	case *redis.ClusterClient:
		if client == nil {
			return nil, unsupported("a nil *redis.ClusterClient", "give one that redis.NewClusterClient returned")
		}
		return cluster(client.Options())
	case *redis.Ring:
		return nil, unsupported("a Ring", "it has no server that keeps a whole queue; give the client of one server")
	default:
		return nil, unsupported(fmt.Sprintf("a %T", client), "give the *redis.Client or *redis.ClusterClient behind it")
	}
}

func single(o *redis.Options) (redisv8.UniversalClient, error) {
	if err := checkStreaming(o.StreamingCredentialsProvider); err != nil {
		return nil, err
	}
	return redisv8.NewClient(&redisv8.Options{
		Network: o.Network,
		Addr:    o.Addr,
		Dialer:  dialer(o),
		DB:      o.DB,
		Limiter: o.Limiter,

		MaxRetries:      orNone(o.MaxRetries),
		MinRetryBackoff: orNone(o.MinRetryBackoff),
		MaxRetryBackoff: orNone(o.MaxRetryBackoff),

		DialTimeout:  o.DialTimeout,
		ReadTimeout:  orNone(o.ReadTimeout),
		WriteTimeout: orNone(o.WriteTimeout),

		PoolFIFO:     o.PoolFIFO,
		PoolSize:     poolSize(o.PoolSize, o.MaxActiveConns),
		PoolTimeout:  o.PoolTimeout,
		MinIdleConns: o.MinIdleConns,
		IdleTimeout:  o.ConnMaxIdleTime,
		MaxConnAge:   o.ConnMaxLifetime,
	}), nil
}

func cluster(o *redis.ClusterOptions) (redisv8.UniversalClient, error) {
	if err := checkStreaming(o.StreamingCredentialsProvider); err != nil {
		return nil, err
	}
	if reflect.ValueOf(o.NewClient).Pointer() != reflect.ValueOf(redis.NewClient).Pointer() {
		return nil, unsupported("ClusterOptions.NewClient", "set Dialer or OnConnect, which hold for every node")
	}
	return redisadapter.NewClusterClient(&redisv8.ClusterOptions{
		Addrs:        o.Addrs,
		ClusterSlots: clusterSlots(o.ClusterSlots),
		Dialer:       dialer(nodeOptions(o)),

		MaxRedirects:    orNone(o.MaxRedirects),
		MaxRetries:      o.MaxRetries,
		MinRetryBackoff: orNone(o.MinRetryBackoff),
		MaxRetryBackoff: orNone(o.MaxRetryBackoff),

		DialTimeout:  o.DialTimeout,
		ReadTimeout:  orNone(o.ReadTimeout),
		WriteTimeout: orNone(o.WriteTimeout),

		PoolFIFO:     o.PoolFIFO,
		PoolSize:     poolSize(o.PoolSize, o.MaxActiveConns),
		PoolTimeout:  o.PoolTimeout,
		MinIdleConns: o.MinIdleConns,
		IdleTimeout:  orDefaultIdleTime(o.ConnMaxIdleTime),
		MaxConnAge:   o.ConnMaxLifetime,
	}), nil
}

func clusterSlots(slots func(context.Context) ([]redis.ClusterSlot, error)) func(context.Context) ([]redisv8.ClusterSlot, error) {
	if slots == nil {
		return nil
	}
	return func(ctx context.Context) ([]redisv8.ClusterSlot, error) {
		ranges, err := slots(ctx)
		converted := make([]redisv8.ClusterSlot, len(ranges))
		for i, r := range ranges {
			converted[i].Start, converted[i].End = r.Start, r.End
			for _, node := range r.Nodes {
				converted[i].Nodes = append(converted[i].Nodes, redisv8.ClusterNode{ID: node.ID, Addr: node.Addr})
			}
		}
		return converted, err
	}
}

// orNone puts a value that v9 has normalized back into what is written in options: there -1 is none, and zero the
// default.
func orNone[T int | time.Duration](value T) T {
	if value == 0 {
		return -1
	}
	return value
}

func orDefaultIdleTime(idleTime time.Duration) time.Duration {
	if idleTime == 0 {
		return defaultConnMaxIdleTime
	}
	return idleTime
}

func poolSize(size, maxActive int) int {
	if maxActive <= 0 {
		return size
	}
	if size <= 0 {
		return maxActive
	}
	return min(size, maxActive)
}
