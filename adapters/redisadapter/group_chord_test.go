package redisadapter_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	machinerybackend "github.com/RichardKnop/machinery/v2/backends/redis"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// brief is a callback timeout that passes within a test, and lengthy is one that does not.
const (
	brief   = 50 * time.Millisecond
	lengthy = time.Hour
)

// newChord makes a chord of two members that have succeeded, the first of which has triggered it.
func newChord(t *testing.T, s *backendSite, backend backendsiface.Backend) (member, callback *tasks.Signature) {
	callback = task("sum", s.prefix+"callback")
	member, other := task("add", s.prefix+"member"), task("add", s.prefix+"other")
	for _, signature := range []*tasks.Signature{member, other} {
		signature.GroupUUID, signature.GroupTaskCount, signature.ChordCallback = s.prefix+"group", 2, callback
	}
	require.NoError(t, backend.InitGroup(member.GroupUUID, []string{member.UUID, other.UUID}))
	require.NoError(t, backend.SetStateSuccess(other, nil))
	require.NoError(t, backend.SetStateSuccess(member, nil))
	require.True(t, triggers(t, backend, member.GroupUUID))
	return member, callback
}

// awaitState waits until a state is in Redis: RECEIVED is written a moment later.
func awaitState(t *testing.T, s *backendSite, uuid, want string) {
	t.Helper()
	reader := redisadapter.NewBackend(s.cnf, s.client)
	eventually(t, func() bool {
		state, err := reader.GetState(uuid)
		return err == nil && state.State == want
	})
}

func triggers(t *testing.T, backend backendsiface.Backend, groupUUID string) bool {
	t.Helper()
	triggered, err := backend.TriggerChord(groupUUID)
	require.NoError(t, err)
	return triggered
}

func TestChordIsTriggeredAgainWhenItsCallbackWasNotSent(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client, redisadapter.WithCallbackTimeout(brief))
		member, _ := newChord(t, s, backend)
		require.NoError(t, backend.SetStateSuccess(member, nil))
		require.True(t, triggers(t, backend, member.GroupUUID))
		require.False(t, triggers(t, backend, member.GroupUUID))
	})
}

func TestChordIsTriggeredAgainWhenItsCallbackWasOnlyAboutToBeSent(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client, redisadapter.WithCallbackTimeout(brief))
		member, callback := newChord(t, s, backend)
		require.NoError(t, backend.SetStatePending(callback))
		require.NoError(t, backend.SetStateSuccess(member, nil))
		require.True(t, triggers(t, backend, member.GroupUUID))
	})
}

func TestChordIsNotTriggeredAgainOnceItsCallbackWasReceived(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		for _, state := range []string{
			tasks.StateReceived, tasks.StateStarted, tasks.StateRetry, tasks.StateSuccess, tasks.StateFailure,
		} {
			backend := redisadapter.NewBackend(s.cnf, s.client, redisadapter.WithCallbackTimeout(0))
			member, callback := newChord(t, s, backend)
			require.NoError(t, backend.SetStatePending(callback))
			write(t, backend, callback, state)
			awaitState(t, s, callback.UUID, state)
			require.NoError(t, backend.SetStateSuccess(member, nil))
			require.False(t, triggers(t, backend, member.GroupUUID), state)
			require.NoError(t, backend.PurgeState(member.UUID))
		}
	})
}

func TestWorkerThatIsToSendTheCallbackHasItsTime(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client, redisadapter.WithCallbackTimeout(lengthy))
		member, callback := newChord(t, s, backend)
		ended := make(chan error, 1)
		go func() { ended <- backend.SetStateSuccess(member, nil) }()
		select {
		case err := <-ended:
			t.Fatalf("did not wait for the callback: %v", err)
		case <-time.After(glance):
		}
		require.NoError(t, backend.SetStateReceived(callback))
		require.NoError(t, <-ended)
		require.False(t, triggers(t, backend, member.GroupUUID))
	})
}

func TestChordIsResumedByOneOfManyMembersThatRunAgain(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client, redisadapter.WithCallbackTimeout(2*time.Second))
		member, _ := newChord(t, s, backend)
		var times atomic.Int32
		var workers sync.WaitGroup
		for range 8 {
			workers.Go(func() {
				assert.NoError(t, backend.SetStateSuccess(member, nil))
				triggered, err := backend.TriggerChord(member.GroupUUID)
				assert.NoError(t, err)
				if triggered {
					times.Add(1)
					assert.NoError(t, backend.SetStateReceived(member.ChordCallback))
				}
			})
		}
		workers.Wait()
		require.EqualValues(t, 1, times.Load())
	})
}

func TestChordThatMachineryTriggeredIsLeftToIt(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	ours := redisadapter.NewBackend(s.cnf, s.client, redisadapter.WithCallbackTimeout(0))
	theirs := machinerybackend.NewGR(s.cnf, []string{s.options.Addr}, s.options.DB)
	member := task("add", "member")
	member.GroupUUID, member.ChordCallback = "group", task("sum", "callback")
	require.NoError(t, ours.InitGroup("group", []string{"member"}))
	require.NoError(t, ours.SetStateSuccess(member, nil))
	require.True(t, triggers(t, theirs, "group"))
	require.NoError(t, ours.SetStateSuccess(member, nil))
	require.False(t, triggers(t, ours, "group"))
}

func TestTriggerThatIsRepeatedForItsLostReplyStillTriggers(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
	client.AddHook(&loseReply{})
	defer client.Close()
	backend := redisadapter.NewBackend(newConfig(), client)
	require.NoError(t, backend.InitGroup("g", nil))
	require.True(t, triggers(t, backend, "g"))
	require.False(t, triggers(t, backend, "g"))
}

// loseReply loses the reply of the first script.
type loseReply struct {
	counter
	lost bool
}

func (l *loseReply) AfterProcess(_ context.Context, cmd redis.Cmder) error {
	if l.lost || cmd.Err() != nil || cmd.Name() != "eval" && cmd.Name() != "evalsha" {
		return nil
	}
	l.lost = true
	return errors.New("connection reset by peer")
}

func TestGroupIsKeptAsMachineryKeepsIt(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client, redisadapter.WithCallbackTimeout(0))
		group := s.prefix + `"ChordTriggered":false`
		require.NoError(t, backend.InitGroup(group, []string{}))
		before := s.client.Get(t.Context(), group).Val()
		require.True(t, triggers(t, backend, group))
		require.Contains(t, s.client.Get(t.Context(), group).Val(), `,"ChordTriggered":true,`)

		again := task("add", s.prefix+"a")
		again.GroupUUID, again.ChordCallback = group, task("sum", s.prefix+"callback")
		require.NoError(t, backend.SetStateSuccess(again, nil))
		require.NoError(t, backend.SetStateSuccess(again, nil))
		require.Equal(t, before, s.client.Get(t.Context(), group).Val())
	})
}

func TestMissingStatesOfAGroupAreNamed(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client)
		uuids := []string{s.prefix + "a", s.prefix + "b", s.prefix + "c"}
		require.NoError(t, backend.InitGroup(s.prefix+"g", uuids))
		require.NoError(t, backend.SetStatePending(task("add", uuids[0])))
		_, err := backend.GroupTaskStates(s.prefix+"g", 3)
		require.ErrorIs(t, err, redis.Nil)
		require.ErrorContains(t, err, "states of 2 tasks")
		require.ErrorContains(t, err, uuids[1])
	})
}

func TestLargeGroupIsCompletedWhenItsFirstAndItsLastTaskAre(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		const size = 200
		backend := redisadapter.NewBackend(s.cnf, s.client)
		var uuids []string
		for i := range size {
			uuids = append(uuids, fmt.Sprint(s.prefix, i))
		}
		require.NoError(t, backend.InitGroup(s.prefix+"g", uuids))
		for i, uuid := range uuids[1:] {
			write(t, backend, task("add", uuid), []string{tasks.StateSuccess, tasks.StateFailure}[i%2])
		}
		for _, state := range []string{tasks.StatePending, tasks.StateSuccess} {
			write(t, backend, task("add", uuids[0]), state)
			completed, err := backend.GroupCompleted(s.prefix+"g", size)
			require.NoError(t, err)
			require.Equal(t, state == tasks.StateSuccess, completed)
		}
		completed, err := backend.GroupCompleted(s.prefix+"g", size+1)
		require.NoError(t, err)
		require.False(t, completed)
		states, err := backend.GroupTaskStates(s.prefix+"g", size)
		require.NoError(t, err)
		for i, state := range states {
			require.Equal(t, uuids[i], state.TaskUUID)
		}
	})
}
