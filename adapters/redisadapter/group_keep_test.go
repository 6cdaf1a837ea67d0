package redisadapter_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// sentChord is a chord whose members a sender has sent.
func sentChord(t *testing.T, backend interface {
	InitGroup(string, []string) error
	SetStatePending(*tasks.Signature) error
}, prefix string, size int) (members []*tasks.Signature, callback *tasks.Signature) {
	t.Helper()
	callback = task("sum", prefix+"callback")
	var uuids []string
	for i := range size {
		member := task("add", fmt.Sprint(prefix, i))
		member.GroupUUID, member.GroupTaskCount, member.ChordCallback = prefix+"group", size, callback
		members, uuids = append(members, member), append(uuids, member.UUID)
	}
	require.NoError(t, backend.InitGroup(prefix+"group", uuids))
	for _, member := range members {
		require.NoError(t, backend.SetStatePending(member))
	}
	return members, callback
}

func TestChordOutlastsTheExpiryOfResults(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	cnf := newConfig()
	backend := redisadapter.NewBackend(cnf, dial(t, server))
	const long = 24 * time.Hour
	members, _ := sentChord(t, backend, "", 3)
	for i, member := range members {
		server.FastForward(long)
		require.NoError(t, backend.SetStateStarted(member))
		server.FastForward(long)
		if i == 1 {
			require.NoError(t, backend.SetStateRetry(member))
			server.FastForward(long)
		}
		require.NoError(t, backend.SetStateSuccess(member, nil))
		completed, err := backend.GroupCompleted("group", len(members))
		require.NoError(t, err)
		require.Equal(t, i == len(members)-1, completed)
	}
	require.True(t, triggers(t, backend, "group"))
	states, err := backend.GroupTaskStates("group", len(members))
	require.NoError(t, err)
	require.Len(t, states, len(members))

	server.FastForward(time.Duration(cnf.ResultsExpireIn) * time.Second)
	require.Empty(t, server.Keys(), "what a chord needed is kept for ever")
}

// The states of members that were never sent expire as those of a chord do.
func TestMemberOfAGroupIsKeptUntilItHasEnded(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * time.Hour
	server := miniredis.RunT(t)
	cnf := newConfig()
	backend := redisadapter.NewBackend(cnf, dial(t, server))
	member := task("add", "a")
	member.GroupUUID, member.GroupTaskCount = "group", 2
	kept := func() time.Duration { return server.TTL("a") }
	for _, state := range []string{tasks.StatePending, tasks.StateStarted, tasks.StateRetry, tasks.StatePending} {
		write(t, backend, member, state)
		require.Equal(t, week, kept(), state)
	}
	for _, state := range []string{tasks.StateFailure, tasks.StateSuccess} {
		write(t, backend, member, state)
		require.Equal(t, time.Duration(cnf.ResultsExpireIn)*time.Second, kept(), state)
	}
	write(t, backend, member, tasks.StatePending)
	server.FastForward(week)
	_, err := backend.GetState("a")
	require.ErrorIs(t, err, middleware.ErrStateGone)
}

func TestChordThatFailsExpiresToo(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	cnf := newConfig()
	backend := redisadapter.NewBackend(cnf, dial(t, server))
	members, _ := sentChord(t, backend, "", 2)
	require.NoError(t, backend.SetStateSuccess(members[0], nil))
	require.NoError(t, backend.SetStateFailure(members[1], "why"))
	server.FastForward(time.Duration(cnf.ResultsExpireIn) * time.Second)
	require.Empty(t, server.Keys())
}

func TestWhatTheSenderOfAChordLeftExpiresWhenItDies(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * time.Hour
	for name, test := range map[string]struct {
		expiry time.Duration
		ended  int
		opts   []redisadapter.BackendOption
	}{
		"by default":     {expiry: week},
		"by an option":   {expiry: 2 * time.Hour, opts: []redisadapter.BackendOption{redisadapter.WithChordExpiry(2 * time.Hour)}},
		"no sooner than": {expiry: resultsExpireIn * time.Second, opts: []redisadapter.BackendOption{redisadapter.WithChordExpiry(time.Second)}},
		"members ended":  {expiry: week, ended: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := miniredis.RunT(t)
			backend := redisadapter.NewBackend(newConfig(), dial(t, server), test.opts...)
			members, _ := sentChord(t, backend, "", 3)
			for _, member := range members[:test.ended] {
				require.NoError(t, backend.SetStateStarted(member))
				require.NoError(t, backend.SetStateSuccess(member, nil))
			}
			server.FastForward(test.expiry - time.Millisecond)
			require.True(t, server.Exists("group"))
			_, err := backend.GetState(members[2].UUID)
			require.NoError(t, err)
			server.FastForward(time.Millisecond)
			require.Empty(t, server.Keys())
			_, err = backend.GetState(members[2].UUID)
			require.ErrorIs(t, err, middleware.ErrStateGone)
			require.ErrorIs(t, err, redis.Nil)
		})
	}
}

func TestDelayedMemberOfAChordIsKeptUntilItsETA(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * time.Hour
	server := miniredis.RunT(t)
	backend := redisadapter.NewBackend(newConfig(), dial(t, server))
	members, _ := sentChord(t, backend, "", 2)
	eta := time.Now().Add(week)
	members[0].ETA = &eta
	for _, member := range members {
		require.NoError(t, backend.SetStatePending(member))
	}
	for _, key := range []string{members[0].UUID, members[0].GroupUUID} {
		require.InDelta(t, 2*week, server.TTL(key), float64(time.Hour), key)
	}
	require.Equal(t, week, server.TTL(members[1].UUID))
}

func TestMembersOfAChordCostRedisTheSameHoweverManyThereAre(t *testing.T) {
	t.Parallel()
	cost := func(size int) float64 {
		client, asked := impatient(t, miniredis.RunT(t))
		backend := redisadapter.NewBackend(newConfig(), client)
		members, _ := sentChord(t, backend, "", size)
		for _, member := range members {
			require.NoError(t, backend.SetStateStarted(member))
			require.NoError(t, backend.SetStateSuccess(member, nil))
			_, err := backend.GroupCompleted("group", size)
			require.NoError(t, err)
		}
		return float64(asked.Load()) / float64(size)
	}
	require.InEpsilon(t, cost(100), cost(400), 0.1)
}

func TestChordWhoseGroupIsGoneFailsOnceAndSaysWhy(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		for name, lose := range map[string]func(members []*tasks.Signature) string{
			"group":  func(members []*tasks.Signature) string { return members[0].GroupUUID },
			"member": func(members []*tasks.Signature) string { return members[0].UUID },
		} {
			backend := redisadapter.NewBackend(s.cnf, s.client)
			members, callback := sentChord(t, backend, s.prefix+name, 2)
			require.NoError(t, backend.SetStateSuccess(members[0], nil))
			require.NoError(t, s.client.Del(t.Context(), lose(members)).Err())
			for range 2 {
				require.NoError(t, backend.SetStateSuccess(members[1], nil))
				completed, err := backend.GroupCompleted(members[1].GroupUUID, 2)
				require.NoError(t, err, "%s: the member would run again", name)
				require.False(t, completed)
			}
			state, err := backend.GetState(callback.UUID)
			require.NoError(t, err)
			require.True(t, state.IsFailure())
			require.Contains(t, state.Error, redisadapter.ErrGroupGone.Error())
		}
	})
}

func TestChordWhoseCallbackWasSentDoesNotFailWhenItsGroupIsGone(t *testing.T) {
	t.Parallel()
	backend := redisadapter.NewBackend(newConfig(), dial(t, miniredis.RunT(t)))
	members, callback := sentChord(t, backend, "", 1)
	require.NoError(t, backend.SetStatePending(callback))
	require.NoError(t, backend.PurgeGroupMeta("group"))
	require.NoError(t, backend.SetStateSuccess(members[0], nil))
	_, err := backend.GroupCompleted("group", 1)
	require.NoError(t, err)
	state, err := backend.GetState(callback.UUID)
	require.NoError(t, err)
	require.Equal(t, tasks.StatePending, state.State)
}

// Machinery forgets the error of GroupTaskStates, and with it the callback.
func TestStatesOfACompletedChordAreAtHandInAnOutage(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	backend := redisadapter.NewBackend(newConfig(), dial(t, server), redisadapter.WithRetryTimeout(0))
	members, _ := sentChord(t, backend, "", 2)
	for _, member := range members {
		require.NoError(t, backend.SetStateSuccess(member, nil))
	}
	completed, err := backend.GroupCompleted("group", 2)
	require.NoError(t, err)
	require.True(t, completed)
	require.True(t, triggers(t, backend, "group"))
	server.SetError("LOADING")
	states, err := backend.GroupTaskStates("group", 2)
	require.NoError(t, err)
	require.Len(t, states, 2)
}

func TestNegativeResultsExpireInIsNever(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		s.cnf.ResultsExpireIn = -1
		backend := redisadapter.NewBackend(s.cnf, s.client, redisadapter.WithCallbackTimeout(0))
		alone := task("add", s.prefix+"alone")
		for _, state := range []string{tasks.StatePending, tasks.StateStarted, tasks.StateSuccess} {
			write(t, backend, alone, state)
			require.Negative(t, s.client.TTL(t.Context(), alone.UUID).Val(), state)
		}
		member, _ := newChord(t, s, backend)
		for _, key := range []string{member.UUID, member.GroupUUID} {
			require.Negative(t, s.client.TTL(t.Context(), key).Val(), key)
		}
		require.NoError(t, backend.SetStateSuccess(member, nil))
		require.True(t, triggers(t, backend, member.GroupUUID))
	})
}
