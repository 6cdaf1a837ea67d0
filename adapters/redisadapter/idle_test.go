package redisadapter_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// census is a hook that counts commands, each script for itself.
type census struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *census) BeforeProcess(ctx context.Context, cmd redis.Cmder) (context.Context, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := cmd.Name()
	if name == "evalsha" {
		name = fmt.Sprint(name, " ", cmd.Args()[1])
	}
	c.counts[name]++
	return ctx, nil
}

func (c *census) AfterProcess(context.Context, redis.Cmder) error { return nil }

func (c *census) BeforeProcessPipeline(ctx context.Context, _ []redis.Cmder) (context.Context, error) {
	return ctx, nil
}

func (c *census) AfterProcessPipeline(context.Context, []redis.Cmder) error { return nil }

func (c *census) count(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[name]
}

func (c *census) all() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

func TestIdleWorkerOnlyWaits(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	s.cnf.Redis.DelayedTasksPollPeriod = int(time.Hour / time.Millisecond)
	c := &census{counts: make(map[string]int)}
	s.client.(*redis.Client).AddHook(c)
	var seen journal
	broker := newWorkingBroker(s, redisadapter.WithHeartbeatTimeout(time.Hour))
	work(t, broker, 1, &processor{Func: seen.Add})
	const waits = 5
	eventually(t, func() bool { return c.count("blmove") >= waits })
	for name, n := range c.all() {
		if name != "blmove" && name != "eval" { // which each script begins with once
			require.Less(t, n, waits-1, name)
		}
	}
	s.enqueue(t, message("a"), message("b"))
	seen.AwaitInOrder(t, "a", "b")
}
