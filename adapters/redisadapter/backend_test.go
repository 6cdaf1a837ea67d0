package redisadapter_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func TestStateFollowsTheTask(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		backend := redisadapter.NewBackend(s.cnf, s.client)
		signature := task("add", s.name+"a")
		results := []*tasks.TaskResult{{Type: "uint64", Value: uint64(18446744073709551615)}}
		steps := []struct {
			state string
			set   func() error
		}{
			{tasks.StatePending, func() error { return backend.SetStatePending(signature) }},
			{tasks.StateReceived, func() error { return backend.SetStateReceived(signature) }},
			{tasks.StateStarted, func() error { return backend.SetStateStarted(signature) }},
			{tasks.StateRetry, func() error { return backend.SetStateRetry(signature) }},
			{tasks.StateFailure, func() error { return backend.SetStateFailure(signature, "why") }},
			{tasks.StateSuccess, func() error { return backend.SetStateSuccess(signature, results) }},
		}
		var created time.Time
		for _, step := range steps {
			require.NoError(t, step.set())
			state, err := backend.GetState(signature.UUID)
			require.NoError(t, err)
			require.Equal(t, step.state, state.State)
			require.Equal(t, "add", state.TaskName)
			if created.IsZero() {
				created = state.CreatedAt
			}
			require.Equal(t, created, state.CreatedAt)
		}
		state, err := backend.GetState(signature.UUID)
		require.NoError(t, err)
		require.Equal(t, json.Number("18446744073709551615"), state.Results[0].Value)
		require.NoError(t, backend.PurgeState(signature.UUID))
		_, err = backend.GetState(signature.UUID)
		require.ErrorIs(t, err, redis.Nil)
	})
}

func TestFailureKeepsItsReason(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	backend := redisadapter.NewBackend(s.cnf, s.client)
	require.NoError(t, backend.SetStateFailure(task("add", "a"), "why"))
	state, err := backend.GetState("a")
	require.NoError(t, err)
	require.True(t, state.IsFailure())
	require.Equal(t, "why", state.Error)
}

func TestStatesAndGroupsExpire(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		ctx := context.Background()
		backend := redisadapter.NewBackend(s.cnf, s.client)
		stateKey, groupKey := s.name+"a", s.name+"g"
		require.NoError(t, backend.SetStatePending(task("add", stateKey)))
		require.NoError(t, backend.InitGroup(groupKey, []string{stateKey}))
		triggered, err := backend.TriggerChord(groupKey)
		require.NoError(t, err)
		require.True(t, triggered)
		for _, key := range []string{stateKey, groupKey} {
			left := s.client.TTL(ctx, key).Val()
			require.Greater(t, left, (resultsExpireIn-10)*time.Second)
			require.LessOrEqual(t, left, resultsExpireIn*time.Second)
		}
	})
}

func TestExpiryDefaultsToThatOfMachinery(t *testing.T) {
	t.Parallel()
	s, server := embedded(t)
	backend := redisadapter.NewBackend(&config.Config{}, s.client)
	require.NoError(t, backend.SetStatePending(task("add", "a")))
	require.Equal(t, config.DefaultResultsExpireIn*time.Second, server.TTL("a"))
}

func TestBackendReportsAnUnreachableRedis(t *testing.T) {
	t.Parallel()
	s, server := embedded(t)
	server.SetError("ERR down")
	backend := redisadapter.NewBackend(s.cnf, s.client)
	signature := task("add", "a")
	require.ErrorContains(t, backend.SetStatePending(signature), "ERR down")
	require.ErrorContains(t, backend.SetStateStarted(signature), "ERR down")
	require.ErrorContains(t, backend.InitGroup("g", nil), "ERR down")
	require.ErrorContains(t, backend.PurgeState("a"), "ERR down")
	require.ErrorContains(t, backend.PurgeGroupMeta("g"), "ERR down")
	_, err := backend.TriggerChord("g")
	require.ErrorContains(t, err, "ERR down")
	server.SetError("")
}

func TestBackendIsNotAMQP(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	require.False(t, redisadapter.NewBackend(s.cnf, s.client).IsAMQP())
}
