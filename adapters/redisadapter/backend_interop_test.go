package redisadapter_test

import (
	"encoding/json"
	"testing"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	machinerybackend "github.com/RichardKnop/machinery/v2/backends/redis"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// besideMachinery runs a test with our backend and each of Machinery's on one Redis.
func besideMachinery(t *testing.T, test func(t *testing.T, s *site, ours, theirs backendsiface.Backend)) {
	t.Parallel()
	for name, open := range map[string]func(s *site) backendsiface.Backend{
		"go-redis": func(s *site) backendsiface.Backend {
			return machinerybackend.NewGR(s.cnf, []string{s.options.Addr}, s.options.DB)
		},
		"redigo": func(s *site) backendsiface.Backend {
			return machinerybackend.New(s.cnf, s.options.Addr, s.options.Username, s.options.Password, "", s.options.DB)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryRedis(t, func(t *testing.T, s *site) {
				test(t, s, redisadapter.NewBackend(s.cnf, s.client), open(s))
			})
		})
	}
}

var allStates = []string{
	tasks.StatePending, tasks.StateReceived, tasks.StateStarted, tasks.StateRetry, tasks.StateFailure, tasks.StateSuccess,
}

func TestEachBackendReadsAndContinuesTheOthersStates(t *testing.T) {
	besideMachinery(t, func(t *testing.T, s *site, ours, theirs backendsiface.Backend) {
		for name, writers := range map[string][]backendsiface.Backend{"ours first": {ours, theirs}, "theirs first": {theirs, ours}} {
			signature := task("add", s.name+name)
			var created *tasks.TaskState
			for i, state := range allStates {
				write(t, writers[i%2], signature, state)
				kept, err := ours.GetState(signature.UUID)
				require.NoError(t, err)
				read, err := theirs.GetState(signature.UUID)
				require.NoError(t, err)
				require.Equal(t, kept, read)
				require.Equal(t, state, read.State)
				require.Equal(t, "add", read.TaskName)
				if created == nil {
					created = read
				}
				require.Equal(t, created.CreatedAt, read.CreatedAt)
			}
			require.NoError(t, theirs.PurgeState(signature.UUID))
			_, err := ours.GetState(signature.UUID)
			require.ErrorIs(t, err, redis.Nil)
		}
	})
}

func TestEachBackendGathersTheOthersGroups(t *testing.T) {
	besideMachinery(t, func(t *testing.T, s *site, ours, theirs backendsiface.Backend) {
		for name, backends := range map[string][2]backendsiface.Backend{"ours": {ours, theirs}, "theirs": {theirs, ours}} {
			maker, other := backends[0], backends[1]
			group := s.name + name
			first, second := task("add", group+"a"), task("add", group+"b")
			require.NoError(t, maker.InitGroup(group, []string{first.UUID, second.UUID}))
			require.NoError(t, maker.SetStateSuccess(first, []*tasks.TaskResult{{Type: "int64", Value: int64(1<<62 + 1)}}))
			require.NoError(t, other.SetStateFailure(second, "reason"))
			for _, backend := range backends {
				completed, err := backend.GroupCompleted(group, 2)
				require.NoError(t, err)
				require.True(t, completed)
				states, err := backend.GroupTaskStates(group, 2)
				require.NoError(t, err)
				require.Equal(t, json.Number("4611686018427387905"), states[0].Results[0].Value)
				require.Equal(t, "reason", states[1].Error)
			}
			require.True(t, triggers(t, maker, group))
			require.False(t, triggers(t, other, group))
			require.False(t, triggers(t, maker, group))
			require.NoError(t, other.PurgeGroupMeta(group))
			_, err := maker.GroupCompleted(group, 2)
			require.ErrorContains(t, err, "nil")
		}
	})
}
