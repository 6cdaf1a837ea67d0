package redisadapter

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"
)

var errRefused = errors.New("refused")

// refusing is a hook that refuses pipelines with an argument that begins so.
type refusing struct{ beginning string }

func (r *refusing) BeforeProcess(ctx context.Context, _ redis.Cmder) (context.Context, error) {
	return ctx, nil
}

func (r *refusing) AfterProcess(context.Context, redis.Cmder) error { return nil }

func (r *refusing) BeforeProcessPipeline(ctx context.Context, cmds []redis.Cmder) (context.Context, error) {
	for _, cmd := range cmds {
		for _, arg := range cmd.Args() {
			if body, ok := arg.(string); ok && r.beginning != "" && strings.HasPrefix(body, r.beginning) {
				return ctx, errRefused
			}
		}
	}
	return ctx, nil
}

func (r *refusing) AfterProcessPipeline(context.Context, []redis.Cmder) error { return nil }

// The copy of what was acknowledged is still being run.
func TestNoLargeMessageIsAcknowledgedAgainBecauseAnotherFails(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr(), MaxRetries: -1})
	defer func() { require.NoError(t, client.Close()) }()
	r := &refusing{beginning: "b"}
	client.AddHook(r)
	slots := newSlots(4, []queueShare{{name: "q"}}).shares[0]
	a := &acknowledger{processing: newProcessing(client, "q"), inFlight: newInFlight(slots)}
	first, second, small := strings.Repeat("a", largeMessage), strings.Repeat("b", largeMessage), "c"
	for _, body := range []string{first, first, second, small} {
		require.NotZero(t, slots.reserve(nil))
		a.inFlight.take(message{body: body})
		require.NoError(t, client.RPush(ctx, a.processing.key, body).Err())
	}
	for _, body := range []string{small, first, second} {
		a.inFlight.finish(message{body: body}, processed)
	}

	require.ErrorIs(t, a.acknowledge(ctx, a.inFlight.takeDone()), errRefused)
	r.beginning = ""
	require.NoError(t, a.acknowledge(ctx, a.inFlight.takeDone()))
	require.Equal(t, []string{first}, client.LRange(ctx, a.processing.key, 0, -1).Val())
	require.Equal(t, map[string]int{first: 1}, a.inFlight.snapshot())
	require.Empty(t, a.inFlight.takeDone())
}
