package redisadapter_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// listen waits until the subscription has begun, of which a hint tells.
func listen(t *testing.T, ctx context.Context, backend backendsiface.Backend, uuids ...string) <-chan struct{} {
	t.Helper()
	hints, err := backend.(middleware.Notifier).NotifyEnd(ctx, uuids...)
	require.NoError(t, err)
	for range uuids {
		eventually(t, closed(hints))
	}
	return hints
}

func requireSilence(t *testing.T, hints <-chan struct{}) {
	t.Helper()
	select {
	case <-hints:
		t.Fatal("a hint although nothing ended")
	case <-time.After(glance):
	}
}

func TestEndOfATaskIsNotified(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		sender, worker := redisadapter.NewBackend(s.cnf, s.client), redisadapter.NewBackend(s.cnf, s.client)
		for _, end := range []string{tasks.StateSuccess, tasks.StateFailure} {
			ctx, cancel := context.WithCancel(t.Context())
			signature := task("add", s.prefix+end)
			hints := listen(t, ctx, sender, signature.UUID)
			for _, state := range []string{tasks.StatePending, tasks.StateReceived, tasks.StateStarted, tasks.StateRetry} {
				write(t, worker, signature, state)
			}
			write(t, worker, task("add", s.prefix+"other"), end)
			requireSilence(t, hints)
			write(t, worker, signature, end)
			eventually(t, closed(hints))
			cancel()
		}
	})
}

func TestEndOfAnyOfSeveralTasksIsNotified(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client)
		var uuids []string
		for i := range 20 {
			uuids = append(uuids, fmt.Sprint(s.prefix, i))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		hints, err := backend.(middleware.Notifier).NotifyEnd(ctx, uuids...)
		require.NoError(t, err)
		eventually(t, closed(hints))
		for !quiet(hints) { // until all have begun, and further hints would be of ends
		}
		for _, uuid := range uuids {
			write(t, backend, task("add", uuid), tasks.StateSuccess)
			eventually(t, closed(hints))
		}
	})
}

func quiet(hints <-chan struct{}) bool {
	select {
	case <-hints:
		return false
	case <-time.After(glance):
		return true
	}
}

func TestSecondWhoWaitsIsToldToLookOnce(t *testing.T) {
	t.Parallel()
	backend := redisadapter.NewBackend(newConfig(), dial(t, miniredis.RunT(t)))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := listen(t, ctx, backend, "a")
	second := listen(t, ctx, backend, "a")
	write(t, backend, task("add", "a"), tasks.StateSuccess)
	eventually(t, closed(first))
	eventually(t, closed(second))
}

func TestWhoWaitsAgainIsToldByTheSubscriptionThatHasNotEnded(t *testing.T) {
	t.Parallel()
	backend := redisadapter.NewBackend(newConfig(), dial(t, miniredis.RunT(t)))
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		hints := listen(t, ctx, backend, "a")
		write(t, backend, task("add", "a"), tasks.StateSuccess)
		eventually(t, closed(hints))
		cancel()
	}
}

func TestHintComesAfterTheConnectionWasLost(t *testing.T) {
	t.Parallel()
	s := newSite(t, realRedis(t))
	backend := redisadapter.NewBackend(s.cnf, s.client)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hints := listen(t, ctx, backend, s.name+"a")
	require.True(t, quiet(hints))
	killSubscriptions(t, s)
	eventually(t, closed(hints))
}

// killSubscriptions cuts the connections of this test that subscribe.
func killSubscriptions(t *testing.T, s *site) {
	for _, line := range subscriptions(t, s.client, s.name) {
		for _, field := range strings.Fields(line) {
			if id, found := strings.CutPrefix(field, "id="); found {
				require.NoError(t, s.client.ClientKillByFilter(t.Context(), "ID", id).Err())
			}
		}
	}
}

func subscriptions(t *testing.T, client redis.UniversalClient, name string) (lines []string) {
	all, err := client.ClientList(t.Context()).Result()
	require.NoError(t, err)
	for line := range strings.Lines(all) {
		if strings.Contains(line, "name="+name+" ") && !strings.Contains(line, " sub=0 ") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestAllWhoWaitShareOneConnectionAndItEndsWithTheLast(t *testing.T) {
	t.Parallel()
	s := newSite(t, realRedis(t))
	backend := redisadapter.NewBackend(s.cnf, s.client)
	contexts := make([]context.CancelFunc, 50)
	for i := range contexts {
		var ctx context.Context
		ctx, contexts[i] = context.WithCancel(t.Context())
		listen(t, ctx, backend, fmt.Sprint(s.name, i%30))
	}
	require.Len(t, subscriptions(t, s.client, s.name), 1)
	for _, cancel := range contexts[1:] {
		cancel()
	}
	channels := func() int {
		return len(s.client.PubSubChannels(context.Background(), "machinery:end:"+s.name+"*").Val())
	}
	eventually(t, func() bool { return channels() == 1 })
	contexts[0]()
	eventually(t, func() bool { return channels() == 0 && len(subscriptions(t, s.client, s.name)) == 0 })

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hints := listen(t, ctx, backend, s.name+"again")
	write(t, backend, task("add", s.name+"again"), tasks.StateSuccess)
	eventually(t, closed(hints))
}

func TestBackendWithoutNotificationsSaysSo(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client)
		silent := redisadapter.NewBackend(s.cnf, s.client, redisadapter.WithoutNotifications())
		_, err := silent.(middleware.Notifier).NotifyEnd(t.Context(), "a")
		require.Error(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		hints := listen(t, ctx, backend, s.prefix+"a")
		write(t, silent, task("add", s.prefix+"a"), tasks.StateSuccess)
		requireSilence(t, hints)
	})
}

func TestNobodyIsNotifiedAfterTheContextEnded(t *testing.T) {
	t.Parallel()
	backend := redisadapter.NewBackend(newConfig(), dial(t, miniredis.RunT(t)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := backend.(middleware.Notifier).NotifyEnd(ctx, "a")
	require.ErrorIs(t, err, context.Canceled)
}

func TestWaitingOutlivesAClosedClient(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	backend := redisadapter.NewBackend(newConfig(), client)
	ctx, cancel := context.WithCancel(t.Context())
	listen(t, ctx, backend, "a")
	require.NoError(t, client.Close())
	server.Close()
	cancel()
}

func TestStateIsWrittenWhereThereIsNoRightToPublish(t *testing.T) {
	t.Parallel()
	s := newSite(t, realRedis(t))
	ctx := t.Context()
	require.NoError(t, s.client.Do(ctx, "acl", "setuser", s.name, "on", "nopass", "~*", "+@all", "-publish", "resetchannels").Err())
	defer s.client.Do(context.Background(), "acl", "deluser", s.name)
	options := *s.options
	options.OnConnect, options.Username, options.Password = nil, s.name, "any"
	backend := redisadapter.NewBackend(s.cnf, closing(t, redis.NewClient(&options)))
	write(t, backend, task("add", s.name+"a"), tasks.StateSuccess)
	state, err := backend.GetState(s.name + "a")
	require.NoError(t, err)
	require.True(t, state.IsSuccess())
}
