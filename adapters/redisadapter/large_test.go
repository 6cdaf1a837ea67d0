package redisadapter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

const largeBytes = 64 << 10

// carried is a hook that counts scripts that are given a large message, and those that answer with one.
type carried struct {
	mu             sync.Mutex
	given, brought int
}

func (c *carried) BeforeProcess(ctx context.Context, _ redis.Cmder) (context.Context, error) {
	return ctx, nil
}

func (c *carried) AfterProcess(_ context.Context, cmd redis.Cmder) error {
	if !strings.HasPrefix(cmd.Name(), "eval") {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if sizeOf(cmd.Args()) >= largeBytes {
		c.given++
	}
	if reply, ok := cmd.(*redis.Cmd); ok && sizeOf(reply.Val()) >= largeBytes {
		c.brought++
	}
	return nil
}

func (c *carried) BeforeProcessPipeline(ctx context.Context, cmds []redis.Cmder) (context.Context, error) {
	return ctx, nil
}

func (c *carried) AfterProcessPipeline(ctx context.Context, cmds []redis.Cmder) error {
	for _, cmd := range cmds {
		_ = c.AfterProcess(ctx, cmd)
	}
	return nil
}

func (c *carried) counts() (given, brought int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.given, c.brought
}

// nothingLeft requires that a worker that has stopped has left nothing in the queue, in what it was processing, or
// counted.
func nothingLeft(t *testing.T, s *site) {
	t.Helper()
	require.Zero(t, s.queued(t))
	require.Empty(t, keysWith(t, s, ":processing:"))
	require.Zero(t, s.client.Exists(t.Context(), s.key("deliveries")).Val())
}

func keysWith(t *testing.T, s *site, part string) []string {
	t.Helper()
	keys, err := s.client.Keys(t.Context(), "*"+s.name+"*"+part+"*").Result()
	require.NoError(t, err)
	return keys
}

func TestLargeMessagesGoThroughNoScript(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		var c carried
		s.client.(*redis.Client).AddHook(&c)
		broker := newWorkingBroker(s)
		var sent []string
		for i := range 8 {
			sent = append(sent, fmt.Sprint(i))
			publish(t, broker, largeTask(sent[i], largeBytes))
		}
		var seen journal
		ended := work(t, broker, 1, &processor{Func: seen.Add})
		seen.AwaitInOrder(t, sent...)
		// One after which the worker waits.
		publish(t, broker, largeTask("waited for", largeBytes))
		seen.AwaitInOrder(t, append(sent, "waited for")...)
		broker.StopConsuming()
		<-ended
		given, brought := c.counts()
		require.Zero(t, given)
		require.LessOrEqual(t, brought, 1, "only the first is not expected to be large")
		nothingLeft(t, s)
	})
}

func TestLargeAndSmallMessagesKeepTheirOrder(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s)
		var sent []string
		for i := range 30 {
			sent = append(sent, fmt.Sprint(i))
			publish(t, broker, largeTask(sent[i], i/3%2*largeBytes))
		}
		var seen journal
		ended := work(t, broker, 1, &processor{Func: seen.Add})
		seen.AwaitInOrder(t, sent...)
		broker.StopConsuming()
		<-ended
		nothingLeft(t, s)
	})
}

func TestEqualLargeMessagesRunEach(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s)
		for range 5 {
			publish(t, broker, largeTask("same", largeBytes))
		}
		var seen journal
		ended := work(t, broker, 3, &processor{Func: seen.Add})
		eventually(t, func() bool { return seen.Len() >= 5 })
		broker.StopConsuming()
		<-ended
		require.Len(t, seen.UUIDs(), 5)
		nothingLeft(t, s)
	})
}

func TestFailuresOfALargeMessageAreForgottenWhenItIsDone(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s)
		publish(t, broker, largeTask("a", largeBytes))
		var seen journal
		ended := work(t, broker, 1, &processor{Func: func(signature *tasks.Signature) error {
			_ = seen.Add(signature)
			if seen.Len() == 1 {
				return errors.New("not yet")
			}
			return nil
		}})
		seen.AwaitInOrder(t, "a", "a")
		broker.StopConsuming()
		<-ended
		nothingLeft(t, s)
	})
}

func TestLargeMessageWhoseReplyIsLostRunsOnce(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		reply := &lostReply{text: "lmove"} // not that of a script, which writes it large
		options := *s.options
		options.Dialer, options.MaxRetries = reply.dial, -1
		client := redis.NewClient(&options)
		defer func() { require.NoError(t, client.Close()) }()
		broker := redisadapter.NewBroker(s.cnf, client)
		broker.SetRegisteredTaskNames([]string{"add"})
		publish(t, broker, largeTask("a", largeBytes), largeTask("b", largeBytes), largeTask("c", largeBytes))
		var seen journal
		ended := work(t, broker, 1, &processor{Func: seen.Add})
		seen.AwaitInOrder(t, "a", "b", "c")
		broker.StopConsuming()
		<-ended
		require.True(t, reply.isLost())
		nothingLeft(t, s)
	})
}

// fullError is what a full Redis answers with.
type fullError struct{}

func (fullError) Error() string { return "OOM command not allowed when used memory > 'maxmemory'." }
func (fullError) RedisError()   {}

// full is a hook that refuses what a full Redis does, outside of scripts that begin as those of workers do.
type full struct{ carried }

func (f *full) BeforeProcess(ctx context.Context, cmd redis.Cmder) (context.Context, error) {
	if cmd.Name() == "lmove" || cmd.Name() == "blmove" {
		return ctx, fullError{}
	}
	return ctx, nil
}

func TestLargeMessagesAreTakenFromAFullRedis(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s)
		publish(t, broker, largeTask("a", largeBytes), largeTask("b", largeBytes), largeTask("c", largeBytes))
		s.client.(*redis.Client).AddHook(new(full))
		var seen journal
		ended := work(t, broker, 1, &processor{Func: seen.Add})
		seen.AwaitInOrder(t, "a", "b", "c")
		broker.StopConsuming()
		<-ended
		nothingLeft(t, s)
	})
}

// pausing is a hook that pauses a queue right before the first large message is taken.
type pausing struct {
	carried
	once  sync.Once
	pause func()
}

func (p *pausing) BeforeProcess(ctx context.Context, cmd redis.Cmder) (context.Context, error) {
	if cmd.Name() == "lmove" {
		p.once.Do(p.pause)
	}
	return ctx, nil
}

func TestLargeMessageThatComesToAPausedQueueWaits(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		source := redisadapter.NewSource(s.cnf, newClient(t, s))
		paused := make(chan error, 1)
		s.client.(*redis.Client).AddHook(&pausing{pause: func() {
			paused <- source.Pause(context.Background(), s.cnf.DefaultQueue)
		}})
		broker := newWorkingBroker(s)
		publish(t, broker, largeTask("a", largeBytes), largeTask("b", largeBytes))
		var seen journal
		work(t, broker, 1, &processor{Func: seen.Add})
		eventually(t, func() bool { return len(paused) == 1 })
		require.NoError(t, <-paused)
		eventually(t, func() bool { return s.queued(t) == 1 && len(keysWith(t, s, ":processing:")) == 0 })
		seen.AwaitInOrder(t, "a")
		require.NoError(t, source.Resume(context.Background(), s.cnf.DefaultQueue))
		seen.AwaitInOrder(t, "a", "b")
	})
}

func newClient(t *testing.T, s *site) *redis.Client {
	client := redis.NewClient(s.options)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}
