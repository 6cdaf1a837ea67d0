package redisadapter_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	miniserver "github.com/alicebob/miniredis/v2/server"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// informant is a hook that answers INFO.
type informant struct {
	text string
	err  error
}

var errNotSent = errors.New("not sent")

func (i informant) BeforeProcess(ctx context.Context, cmd redis.Cmder) (context.Context, error) {
	if cmd.Name() == "info" {
		return ctx, errNotSent
	}
	return ctx, nil
}

func (i informant) AfterProcess(_ context.Context, cmd redis.Cmder) error {
	if info, ok := cmd.(*redis.StringCmd); ok && cmd.Name() == "info" {
		info.SetVal(i.text)
		info.SetErr(i.err)
	}
	return nil
}

func (informant) BeforeProcessPipeline(ctx context.Context, _ []redis.Cmder) (context.Context, error) {
	return ctx, nil
}

func (informant) AfterProcessPipeline(context.Context, []redis.Cmder) error { return nil }

func TestServersThatMayLoseTasksAreWarnedOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer informant
		want   []string
	}{
		"good":     {informant{text: "# Server\r\nredis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\n"}, nil},
		"evicts":   {informant{text: "redis_version:8.0.0\r\nmaxmemory_policy:allkeys-lru\r\n"}, []string{"level=WARN", "policy=allkeys-lru"}},
		"too old":  {informant{text: "redis_version:6.0.16\r\nmaxmemory_policy:noeviction\r\n"}, []string{"level=WARN", "version=6.0.16"}},
		"silent":   {informant{text: "redis_version:7.2.0\r\n"}, []string{"level=INFO", "could not look"}},
		"forbids":  {informant{err: errors.New("NOPERM")}, []string{"level=INFO", "could not look", "NOPERM"}},
		"strange":  {informant{text: "redis_version:next\r\nmaxmemory_policy:noeviction\r\n"}, nil},
		"too new?": {informant{text: "redis_version:10.0\r\nmaxmemory_policy:noeviction\r\n"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := embedded(t)
			s.client.(*redis.Client).AddHook(c.answer)
			log := &adaptertest.Log{}
			broker := newWorkingBroker(s, redisadapter.WithLogger(log.Logger()))
			var seen journal
			for range 2 {
				work(t, broker, 1, &processor{Func: seen.Add})
			}
			s.enqueue(t, message("a"))
			seen.AwaitInOrder(t, "a")
			broker.StopConsuming()
			if c.want == nil {
				require.Empty(t, log.Lines("redis", "maxmemory"), log)
				require.Empty(t, log.Lines("too old"), log)
				return
			}
			require.Len(t, log.Lines(c.want...), 1, log)
		})
	}
}

// INFO without a section ends the process that miniredis is part of, a user's test, where it is being closed.
func TestWorkerStartsWhileEmbeddedRedisCloses(t *testing.T) {
	t.Parallel()
	s, server := embedded(t)
	var closing sync.WaitGroup
	server.Server().SetPreHook(func(_ *miniserver.Peer, command string, _ ...string) bool {
		if command == "INFO" {
			closing.Go(server.Close)
			<-server.Ctx.Done()
		}
		return false
	})
	log := &adaptertest.Log{}
	work(t, newWorkingBroker(s, redisadapter.WithLogger(log.Logger())), 1, &processor{})
	eventually(t, func() bool { return len(log.Lines("could not look")) > 0 })
	closing.Wait()
}
