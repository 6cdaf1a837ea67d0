package redisadapter

import (
	"context"
	"sync/atomic"

	"github.com/go-redis/redis/v8"
)

// commandCount counts the commands of a client, those of pipelines one by one.
type commandCount struct{ n atomic.Int64 }

// of returns the client with its commands counted. They are not counted, and the client is the same, where it is none of
// go-redis' own.
func (c *commandCount) of(client redis.UniversalClient) redis.UniversalClient {
	switch original := client.(type) {
	case *redis.Client:
		counted := original.WithContext(original.Context()) // a copy, whose hooks are its own
		counted.AddHook(c)
		return counted
	case *redis.ClusterClient:
		counted := original.WithContext(original.Context())
		counted.AddHook(c)
		return counted
	}
	return client
}

func (c *commandCount) BeforeProcess(ctx context.Context, _ redis.Cmder) (context.Context, error) {
	c.n.Add(1)
	return ctx, nil
}

func (c *commandCount) BeforeProcessPipeline(ctx context.Context, commands []redis.Cmder) (context.Context, error) {
	c.n.Add(int64(len(commands)))
	return ctx, nil
}

func (*commandCount) AfterProcess(context.Context, redis.Cmder) error           { return nil }
func (*commandCount) AfterProcessPipeline(context.Context, []redis.Cmder) error { return nil }
