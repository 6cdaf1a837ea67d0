package redisadapter_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/brokers/errs"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var _ middleware.DeadLetters = (*redisadapter.DeadLetters)(nil)

// digest is by what the broker knows a message whose deliveries it counts.
func digest(message string) string {
	sum := sha1.Sum([]byte(message))
	return hex.EncodeToString(sum[:])
}

func awaitLetters(t *testing.T, letters *redisadapter.DeadLetters, many int) []redisadapter.DeadLetter {
	t.Helper()
	var got []redisadapter.DeadLetter
	eventually(t, func() bool {
		var err error
		got, err = letters.List(context.Background(), "", 1000)
		return err == nil && len(got) >= many
	})
	require.Len(t, got, many)
	return got
}

func newLetters(s *site, opts ...redisadapter.DeadLettersOption) *redisadapter.DeadLetters {
	return redisadapter.NewDeadLetters(s.client, s.name+":letters", opts...)
}

func bury(t *testing.T, letters *redisadapter.DeadLetters, signatures ...*tasks.Signature) {
	t.Helper()
	for _, signature := range signatures {
		require.NoError(t, letters.Push(context.Background(), signature, errors.New("no good")))
	}
}

func count(t *testing.T, letters *redisadapter.DeadLetters) int {
	t.Helper()
	n, err := letters.Count(context.Background())
	require.NoError(t, err)
	return int(n)
}

func TestDeadLettersAreListedOldestFirstAndPageByPage(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		letters := newLetters(s)
		signature := task("add", "a", tasks.Arg{Type: "uint64", Value: uint64(math.MaxUint64)})
		signature.RoutingKey = "elsewhere"
		bury(t, letters, signature, task("add", "b"), task("add", "c"))
		require.Equal(t, 3, count(t, letters))

		page, err := letters.List(ctx, "", 2)
		require.NoError(t, err)
		require.Len(t, page, 2)
		require.Equal(t, "a", page[0].Signature.UUID)
		require.Equal(t, json.Number("18446744073709551615"), page[0].Signature.Args[0].Value)
		require.Equal(t, "elsewhere", page[0].Queue)
		require.Equal(t, "no good", page[0].Reason)
		require.WithinDuration(t, time.Now(), page[0].Time, time.Minute)
		rest, err := letters.List(ctx, page[1].ID, 2)
		require.NoError(t, err)
		require.Len(t, rest, 1)
		require.Equal(t, "c", rest[0].Signature.UUID)

		got, err := letters.Get(ctx, rest[0].ID)
		require.NoError(t, err)
		require.Equal(t, rest[0], got)
	})
}

func TestDeadLettersHeedTheirBound(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		letters := newLetters(s, redisadapter.KeepDeadLetters(2))
		bury(t, letters, task("add", "a"), task("add", "b"), task("add", "c"))
		kept := awaitLetters(t, letters, 2)
		require.Equal(t, "b", kept[0].Signature.UUID)
		require.Equal(t, "c", kept[1].Signature.UUID)
	})
}

func TestDeadLettersAreDropped(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		letters := newLetters(s)
		bury(t, letters, task("add", "a"), task("add", "b"), task("add", "c"))
		id := awaitLetters(t, letters, 3)[1].ID
		require.NoError(t, letters.Drop(ctx, id))
		require.ErrorIs(t, letters.Drop(ctx, id), redisadapter.ErrNoDeadLetter)
		require.Equal(t, 2, count(t, letters))
		require.NoError(t, letters.DropAll(ctx))
		require.Zero(t, count(t, letters))
	})
}

func TestUnknownDeadLetterIsAnError(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		letters := newLetters(s)
		for _, id := range []string{"", "-", "+", "nonsense", "1-", "-1", "1-1", "99999999999999999999-0"} {
			_, err := letters.Get(ctx, id)
			require.ErrorIs(t, err, redisadapter.ErrNoDeadLetter, id)
			require.ErrorIs(t, letters.Replay(ctx, id), redisadapter.ErrNoDeadLetter, id)
			require.ErrorIs(t, letters.Drop(ctx, id), redisadapter.ErrNoDeadLetter, id)
		}
		_, err := letters.List(ctx, "nonsense", 1)
		require.ErrorIs(t, err, redisadapter.ErrNoDeadLetter)
	})
}

func TestReplayedTaskIsSentAsItWas(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		letters := newLetters(s)
		sent := task("add", "a", tasks.Arg{Type: "uint64", Value: json.Number("18446744073709551615")})
		sent.RoutingKey = s.cnf.DefaultQueue
		sent.Headers = tasks.Headers{"trace": "1"}
		received := *sent
		past := time.Now().Add(-time.Minute)
		received.ETA = &past
		received.Headers = tasks.Headers{"trace": "1", middleware.AttemptsHeader: "10", middleware.UnknownHeader: "3"}
		bury(t, letters, &received)

		require.NoError(t, letters.Replay(ctx, awaitLetters(t, letters, 1)[0].ID))
		require.Zero(t, count(t, letters))
		queued, err := redisadapter.NewBroker(s.cnf, s.client).GetPendingTasks("")
		require.NoError(t, err)
		require.Equal(t, []*tasks.Signature{sent}, queued)
	})
}

func TestReplayLeavesAMessageAloneThatNothingWasAddedTo(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		letters := redisadapter.NewDeadLetters(s.client, redisadapter.DeadLettersKey(s.cnf.DefaultQueue))
		raw := `{ "Name":"add", "FromTheFuture":1, "UUID":"a" }`
		s.enqueue(t, raw)
		broker := newWorkingBroker(s)
		ended := work(t, broker, 1, &processor{process: func(*tasks.Signature) error { return errs.ErrStopTaskDeletion }})
		id := awaitLetters(t, letters, 1)[0].ID
		broker.StopConsuming()
		eventually(t, closed(ended))
		require.NoError(t, letters.Replay(ctx, id))
		require.Equal(t, []string{raw}, s.list(t, s.cnf.DefaultQueue))
	})
}

func TestGarbageIsNotReplayed(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		letters := newLetters(s)
		broker := newWorkingBroker(s, redisadapter.WithDeadLetters(letters))
		s.enqueue(t, "garbage")
		ended := work(t, broker, 1, &processor{})
		id := awaitLetters(t, letters, 1)[0].ID
		broker.StopConsuming()
		eventually(t, closed(ended))

		require.ErrorIs(t, letters.Replay(ctx, id), redisadapter.ErrNoTask)
		good := task("add", "a")
		good.RoutingKey = s.cnf.DefaultQueue
		bury(t, letters, good)
		replayed, err := letters.ReplayAll(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, replayed)
		require.Equal(t, id, awaitLetters(t, letters, 1)[0].ID)
	})
}

func TestTaskWithoutAQueueIsNotReplayed(t *testing.T) {
	s, _ := embedded(t)
	ctx := context.Background()
	letters := newLetters(s)
	bury(t, letters, task("add", "a"))
	require.ErrorIs(t, letters.Replay(ctx, awaitLetters(t, letters, 1)[0].ID), redisadapter.ErrNoQueue)
	replayed, err := letters.ReplayAll(ctx)
	require.NoError(t, err)
	require.Zero(t, replayed)
	require.Equal(t, 1, count(t, letters))
}

func TestAllDeadLettersAreReplayedInOrder(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		const many = 250
		ctx := context.Background()
		letters := newLetters(s)
		var want []string
		for i := range many {
			signature := task("add", fmt.Sprint(i))
			signature.RoutingKey = s.cnf.DefaultQueue
			bury(t, letters, signature)
			want = append(want, signature.UUID)
		}
		replayed, err := letters.ReplayAll(ctx)
		require.NoError(t, err)
		require.Equal(t, many, replayed)
		require.Zero(t, count(t, letters))
		queued, err := redisadapter.NewBroker(s.cnf, s.client).GetPendingTasks("")
		require.NoError(t, err)
		var got []string
		for _, signature := range queued {
			got = append(got, signature.UUID)
		}
		require.Equal(t, want, got)

		replayed, err = letters.ReplayAll(ctx)
		require.NoError(t, err)
		require.Zero(t, replayed)
	})
}

func TestReplayThatCannotBeSentKeepsTheDeadLetter(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		letters := newLetters(s)
		signature := task("add", "a")
		signature.RoutingKey = s.cnf.DefaultQueue
		bury(t, letters, signature)
		require.NoError(t, s.client.Set(ctx, s.cnf.DefaultQueue, "no list", 0).Err())
		require.ErrorContains(t, letters.Replay(ctx, awaitLetters(t, letters, 1)[0].ID), "WRONGTYPE")
		require.Equal(t, 1, count(t, letters))
	})
}
