package redisadapter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestDeadLettersAreReplayedOnlyToQueuesThatWorkersHaveConsumed(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		letters := newLetters(s)
		var seen journal
		broker := newWorkingBroker(s, redisadapter.WithDeadLetters(letters))
		ended := work(t, broker, 1, &processor{Func: seen.Add})
		publish(t, broker, task("add", "first"))
		seen.AwaitInOrder(t, "first")
		broker.StopConsuming()
		<-ended
		foreign := s.name + ":list-of-another-application"
		require.NoError(t, s.client.RPush(t.Context(), foreign, "theirs").Err())
		push(t, letters, routed(foreign, "a"), routed(s.cnf.DefaultQueue, "b"))
		replayed, err := newLetters(s).ReplayAll(t.Context())
		require.ErrorIs(t, err, deadletter.ErrUnknownQueue)
		require.ErrorContains(t, err, "WithReplayQueues")
		require.Equal(t, 1, replayed)
		require.Equal(t, "a", awaitLetters(t, letters, 1)[0].UUID)
		require.Equal(t, []string{"theirs"}, s.list(t, foreign))
		require.Equal(t, 1, s.queued(t))
	})
}

func TestLetterOfATaskThatWorkersWouldRefuseStays(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		verify := func(signature *tasks.Signature) error {
			if signature.UUID == "forged" {
				return middleware.ErrForged
			}
			return nil
		}
		letters := newLetters(s, redisadapter.WithReplayQueues(s.cnf.DefaultQueue), redisadapter.WithVerify(verify))
		push(t, letters, routed(s.cnf.DefaultQueue, "forged"), routed(s.cnf.DefaultQueue, "genuine"))
		replayed, err := letters.ReplayAll(t.Context())
		require.ErrorIs(t, err, deadletter.ErrRefused)
		require.ErrorIs(t, err, middleware.ErrForged)
		require.Equal(t, 1, replayed)
		require.Equal(t, "forged", awaitLetters(t, letters, 1)[0].UUID)
	})
}

func TestDelayedTaskThatNamesAKeyOfAnotherTypeGoesToTheDeadLettersAndHoldsUpNoOther(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		noQueue := s.name + ":no-queue"
		require.NoError(t, s.client.Set(t.Context(), noQueue, "text", 0).Err())
		letters := newLetters(s)
		var seen journal
		broker := newWorkingBroker(s, redisadapter.WithDeadLetters(letters))
		stray, good := delayed("stray", time.Now().Add(20*time.Millisecond)), delayed("good", time.Now().Add(20*time.Millisecond))
		stray.RoutingKey = noQueue
		publish(t, broker, stray, good)
		work(t, broker, 1, &processor{Func: seen.Add})
		seen.AwaitInOrder(t, "good")
		letter := awaitLetters(t, letters, 1)[0]
		require.Equal(t, "stray", letter.UUID)
		require.Equal(t, noQueue, letter.Queue)
	})
}

func TestLetterThatIsTooLongIsNeitherDecodedNorReplayed(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	long := task("add", "a", tasks.Arg{Type: "string", Value: strings.Repeat("x", 1000)})
	long.RoutingKey = s.cnf.DefaultQueue
	push(t, newLetters(s), long)
	letters := newLetters(s, redisadapter.WithMaxMessage(1000), redisadapter.WithReplayQueues(s.cnf.DefaultQueue))
	letter := awaitLetters(t, letters, 1)[0]
	require.Nil(t, letter.Task)
	require.NotEmpty(t, letter.Body)
	err := letters.Replay(t.Context(), letter.ID)
	require.ErrorIs(t, err, deadletter.ErrNoTask)
	require.ErrorIs(t, err, envelope.ErrLimit)
	require.ErrorContains(t, err, "WithMaxMessage")
	require.Zero(t, s.queued(t))

	replayed, err := newLetters(s, redisadapter.WithReplayQueues(s.cnf.DefaultQueue)).ReplayAll(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, replayed)
}
