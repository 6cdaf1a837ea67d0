package redisadapter_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func TestGroupIsCompletedWhenAllItsTasksHaveEnded(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		backend := redisadapter.NewBackend(s.cnf, s.client)
		group := s.name + "g"
		first, second := task("add", s.name+"a"), task("add", s.name+"b")
		require.NoError(t, backend.InitGroup(group, []string{first.UUID, second.UUID}))
		require.NoError(t, backend.SetStatePending(first))
		require.NoError(t, backend.SetStatePending(second))

		completed := func() bool {
			done, err := backend.GroupCompleted(group, 2)
			require.NoError(t, err)
			return done
		}
		require.False(t, completed())
		require.NoError(t, backend.SetStateSuccess(second, nil))
		require.False(t, completed())
		require.NoError(t, backend.SetStateFailure(first, "why"))
		require.True(t, completed())

		states, err := backend.GroupTaskStates(group, 2)
		require.NoError(t, err)
		require.Equal(t, first.UUID, states[0].TaskUUID)
		require.True(t, states[0].IsFailure())
		require.Equal(t, second.UUID, states[1].TaskUUID)
		require.True(t, states[1].IsSuccess())
	})
}

func TestChordIsTriggeredOnceAmongManyProcesses(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		group := s.name + "g"
		require.NoError(t, redisadapter.NewBackend(s.cnf, s.client).InitGroup(group, []string{"a", "b"}))

		var triggers atomic.Int32
		var processes sync.WaitGroup
		for range 16 {
			processes.Go(func() {
				triggered, err := redisadapter.NewBackend(s.cnf, s.client).TriggerChord(group)
				assert.NoError(t, err)
				if triggered {
					triggers.Add(1)
				}
			})
		}
		processes.Wait()
		require.EqualValues(t, 1, triggers.Load())
	})
}

func TestUnknownGroupIsAnError(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		backend := redisadapter.NewBackend(s.cnf, s.client)
		_, err := backend.GroupCompleted(s.name, 1)
		require.ErrorIs(t, err, redis.Nil)
		_, err = backend.GroupTaskStates(s.name, 1)
		require.ErrorIs(t, err, redis.Nil)
		_, err = backend.TriggerChord(s.name)
		require.ErrorIs(t, err, redis.Nil)
	})
}

func TestPurgedGroupIsForgotten(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	backend := redisadapter.NewBackend(s.cnf, s.client)
	require.NoError(t, backend.InitGroup("g", []string{"a"}))
	require.NoError(t, backend.PurgeGroupMeta("g"))
	_, err := backend.TriggerChord("g")
	require.ErrorIs(t, err, redis.Nil)
}

func TestGroupWithAMissingStateIsAnError(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	backend := redisadapter.NewBackend(s.cnf, s.client)
	require.NoError(t, backend.InitGroup("g", []string{"a"}))
	_, err := backend.GroupCompleted("g", 1)
	require.ErrorIs(t, err, redis.Nil)
}
