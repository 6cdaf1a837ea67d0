package redisadapter_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// digest is by what the broker knows a message whose failures it counts.
func digest(message string) string {
	sum := sha1.Sum([]byte(message))
	return hex.EncodeToString(sum[:])
}

func awaitLetters(t *testing.T, letters *redisadapter.DeadLetters, many int) []redisadapter.DeadLetter {
	t.Helper()
	eventually(t, func() bool { return count(t, letters) >= many })
	var got []redisadapter.DeadLetter
	for letter, err := range letters.All(t.Context()) {
		require.NoError(t, err)
		got = append(got, letter)
	}
	require.Len(t, got, many)
	return got
}

func newLetters(s *site, opts ...redisadapter.DeadLettersOption) *redisadapter.DeadLetters {
	return redisadapter.NewDeadLetters(s.client, s.name+":letters", opts...)
}

func push(t *testing.T, letters *redisadapter.DeadLetters, signatures ...*tasks.Signature) {
	t.Helper()
	for _, signature := range signatures {
		require.NoError(t, letters.Push(context.Background(), signature, errors.New("no good")))
	}
}

func count(t *testing.T, letters *redisadapter.DeadLetters) int {
	t.Helper()
	n, err := letters.Count(context.Background())
	require.NoError(t, err)
	return n
}

func TestDeadLettersHeedTheirBound(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		letters := newLetters(s, redisadapter.WithMaxDeadLetters(2))
		push(t, letters, task("add", "a"), task("add", "b"), task("add", "c"))
		kept := awaitLetters(t, letters, 2)
		require.Equal(t, "b", kept[0].UUID)
		require.Equal(t, "c", kept[1].UUID)
		require.EqualValues(t, 1, letters.Evicted())
	})
}

func TestDeadLettersAreAllKeptUnlessAnOptionSaysSo(t *testing.T) {
	t.Parallel()
	s, server := embedded(t)
	for range 10_000 {
		_, err := server.XAdd(s.name+":letters", "*", []string{"message", "old"})
		require.NoError(t, err)
	}
	letters := newLetters(s)
	push(t, letters, task("add", "new"))
	require.Equal(t, 10_001, count(t, letters))
	require.Zero(t, letters.Evicted())
}

func TestDeadLettersHeedTheirBoundInBytes(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		unbounded := newLetters(s)
		large := func(uuid string) *tasks.Signature {
			return task("add", uuid, tasks.Arg{Type: "string", Value: strings.Repeat("x", 1000)})
		}
		push(t, unbounded, large("a"), large("b"), large("c"))
		letters := newLetters(s, redisadapter.WithMaxDeadLetterBytes(3000))
		push(t, letters, large("d"))
		kept := awaitLetters(t, letters, 2)
		require.Equal(t, "c", kept[0].UUID)
		require.Equal(t, "d", kept[1].UUID)
		require.EqualValues(t, 2, letters.Evicted())

		require.NoError(t, unbounded.Drop(t.Context(), kept[0].ID))
		push(t, letters, large("e"))
		require.Equal(t, 2, count(t, letters), "what was dropped counts no more")
		push(t, letters, task("add", "f", tasks.Arg{Type: "string", Value: strings.Repeat("x", 5000)}))
		require.Equal(t, "f", awaitLetters(t, letters, 1)[0].UUID, "the newest is kept")
	})
}

func TestReplayKeepsAnETAThatLiesAhead(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	letters := newLetters(s, redisadapter.WithReplayQueues(s.cnf.DefaultQueue))
	ahead := delayed("a", time.Now().Add(24*time.Hour))
	ahead.RoutingKey = s.cnf.DefaultQueue
	push(t, letters, ahead)
	require.NoError(t, letters.Replay(t.Context(), awaitLetters(t, letters, 1)[0].ID))
	queued, err := redisadapter.NewBroker(s.cnf, s.client).GetPendingTasks("")
	require.NoError(t, err)
	require.Len(t, queued, 1)
	require.True(t, ahead.ETA.Equal(*queued[0].ETA))
}

func TestDeadLettersAreReplayedOnlyToTheQueuesNamed(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		letters := newLetters(s, redisadapter.WithReplayQueues(s.cnf.DefaultQueue, s.name+":custom"))
		push(t, letters, routed(s.name+":foreign", "foreign"), routed(s.cnf.DefaultQueue, "a"), routed(s.name+":custom", "b"))
		replayed, err := letters.ReplayAll(t.Context())
		require.ErrorIs(t, err, deadletter.ErrUnknownQueue)
		require.Equal(t, 2, replayed)
		require.Equal(t, "foreign", awaitLetters(t, letters, 1)[0].UUID)
		require.Zero(t, s.client.Exists(t.Context(), s.name+":foreign").Val())
	})
}

func TestKeyOfAnotherTypeIsNoQueueAndStopsNoOtherLetter(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		letters := newLetters(s, redisadapter.WithReplayQueues(s.cnf.DefaultQueue, s.name+":text"))
		require.NoError(t, s.client.Set(t.Context(), s.name+":text", "no list", 0).Err())
		push(t, letters, routed(s.name+":text", "a"), routed(s.cnf.DefaultQueue, "b"))
		for range 2 { // the first leaves nothing behind that keeps others from trying
			require.ErrorIs(t, letters.Replay(t.Context(), awaitLetters(t, letters, 2)[0].ID), deadletter.ErrUnknownQueue)
		}
		replayed, err := letters.ReplayAll(t.Context())
		require.ErrorIs(t, err, deadletter.ErrUnknownQueue)
		require.Equal(t, 1, replayed)
		require.Equal(t, "a", awaitLetters(t, letters, 1)[0].UUID)
		require.Equal(t, 1, s.queued(t))
	})
}

func TestLetterWhoseReplayerDiedIsReplayedLater(t *testing.T) {
	t.Parallel()
	s, server := embedded(t)
	letters := newLetters(s, redisadapter.WithReplayQueues(s.cnf.DefaultQueue))
	push(t, letters, routed(s.cnf.DefaultQueue, "a"))
	id := awaitLetters(t, letters, 1)[0].ID
	replaying := "{" + s.name + ":letters}:replaying:" + id
	require.NoError(t, s.client.Set(t.Context(), replaying, "", time.Minute).Err())
	require.ErrorIs(t, letters.Replay(t.Context(), id), deadletter.ErrNotFound)
	replayed, err := letters.ReplayAll(t.Context())
	require.NoError(t, err)
	require.Zero(t, replayed)
	server.FastForward(time.Minute)
	require.NoError(t, letters.Replay(t.Context(), id))
	require.Equal(t, 1, s.queued(t))
	require.Zero(t, s.client.Exists(t.Context(), replaying).Val())
}

func TestDropAllLeavesAKeyOfAnotherTypeAlone(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	require.NoError(t, s.client.Set(t.Context(), s.name+":letters", "no stream", 0).Err())
	_, err := newLetters(s).DropAll(t.Context())
	require.ErrorContains(t, err, "WRONGTYPE")
	require.EqualValues(t, 1, s.client.Exists(t.Context(), s.name+":letters").Val())
}
