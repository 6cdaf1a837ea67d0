package redisadapter_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestBrokerOptionsThatCannotBeMeantAreNamed(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	letters := redisadapter.NewDeadLetters(s.client, "letters", redisadapter.WithMaxDeadLetters(-1))
	for want, option := range map[string]redisadapter.BrokerOption{
		"WithHeartbeatTimeout(99ms)": redisadapter.WithHeartbeatTimeout(99 * time.Millisecond),
		"WithMaxAttempts(0)":         redisadapter.WithMaxAttempts(0),
		"WithBackoff(0s, 1s)":        redisadapter.WithBackoff(0, time.Second),
		"WithBackoff(2s, 1s)":        redisadapter.WithBackoff(2*time.Second, time.Second),
		"WithPublishTimeout(0s)":     redisadapter.WithPublishTimeout(0),
		"WithStopTimeout(0s)":        redisadapter.WithStopTimeout(0),
		"WithDeadLetters(nil)":       redisadapter.WithDeadLetters(nil),
		"WithMaxDeadLetters(-1)":     redisadapter.WithDeadLetters(letters),
		"WithLogger(nil)":            redisadapter.WithLogger(nil),
	} {
		broker := redisadapter.NewBroker(s.cnf, s.client, option)
		published := broker.Publish(t.Context(), task("add", "a"))
		retry, started := broker.StartConsuming("worker", 1, &processor{})
		require.False(t, retry)
		for _, err := range []error{published, started} {
			require.ErrorIs(t, err, redisadapter.ErrConfig)
			require.ErrorContains(t, err, want)
		}
	}
	require.Zero(t, s.queued(t))
}

func TestBackendOptionsThatCannotBeMeantAreNamed(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	for want, option := range map[string]redisadapter.BackendOption{
		"WithRetryTimeout(-1s)":    redisadapter.WithRetryTimeout(-time.Second),
		"WithChordExpiry(0s)":      redisadapter.WithChordExpiry(0),
		"WithCallbackTimeout(-1s)": redisadapter.WithCallbackTimeout(-time.Second),
		"WithLogger(nil)":          redisadapter.WithLogger(nil),
	} {
		backend := redisadapter.NewBackend(s.cnf, s.client, option)
		_, read := backend.GetState("a")
		_, listened := backend.(middleware.Notifier).NotifyEnd(t.Context(), "a")
		for _, err := range []error{
			backend.SetStatePending(task("add", "a")), backend.SetStateReceived(task("add", "a")), read, listened,
		} {
			require.ErrorIs(t, err, redisadapter.ErrConfig)
			require.ErrorContains(t, err, want)
		}
	}
}

func TestStoreOptionsThatCannotBeMeantAreNamed(t *testing.T) {
	t.Parallel()
	client := dial(t, miniredis.RunT(t))
	for want, option := range map[string]redisadapter.StoreOption{
		"WithStoreExpiry(-1s)": redisadapter.WithStoreExpiry(-time.Second),
		"WithStoreLimit(0)":    redisadapter.WithStoreLimit(0),
	} {
		store := redisadapter.NewStore(client, option)
		_, put := store.Put(t.Context(), nil)
		_, got := store.Get(t.Context(), refOf(nil), 1)
		for _, err := range []error{put, got} {
			require.ErrorIs(t, err, redisadapter.ErrConfig)
			require.ErrorContains(t, err, want)
		}
	}
}

func TestDeadLettersOptionsThatCannotBeMeantAreNamed(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	for want, option := range map[string]redisadapter.DeadLettersOption{
		"WithMaxDeadLetters(0)":     redisadapter.WithMaxDeadLetters(0),
		"WithMaxDeadLetterBytes(0)": redisadapter.WithMaxDeadLetterBytes(0),
		"WithReplayQueues()":        redisadapter.WithReplayQueues(),
		"WithMaxMessage(0)":         redisadapter.WithMaxMessage(0),
		"WithVerify(nil)":           redisadapter.WithVerify(nil),
	} {
		letters := newLetters(s, option)
		_, gotten := letters.Get(t.Context(), "1-1")
		_, counted := letters.Count(t.Context())
		_, replayed := letters.ReplayAll(t.Context())
		_, dropped := letters.DropAll(t.Context())
		for _, err := range []error{
			letters.Push(t.Context(), task("add", "a"), nil), gotten, counted, replayed, dropped,
			letters.Replay(t.Context(), "1-1"), letters.Drop(t.Context(), "1-1"),
		} {
			require.ErrorIs(t, err, redisadapter.ErrConfig)
			require.ErrorContains(t, err, want)
		}
	}
}
