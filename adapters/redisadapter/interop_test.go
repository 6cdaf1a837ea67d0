package redisadapter_test

import (
	"encoding/json"
	"testing"
	"time"

	machinerybackend "github.com/RichardKnop/machinery/v2/backends/redis"
	machinerybroker "github.com/RichardKnop/machinery/v2/brokers/redis"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func TestMachinerysWorkerRunsOurTasks(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		theirs := machinerybroker.NewGR(s.cnf, []string{s.options.Addr}, s.options.DB)
		theirs.SetRegisteredTaskNames([]string{"add"})
		var seen journal
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = theirs.StartConsuming("worker", 1, &processor{process: seen.add})
		}()
		ours := redisadapter.NewBroker(s.cnf, s.client)
		publish(t, ours, task("add", "a"))
		seen.awaitUUIDs(t, "a")
		publish(t, ours, delayed("b", time.Now().Add(glance)))
		seen.awaitUUIDs(t, "a", "b")

		theirs.StopConsuming()
		eventually(t, closed(ended))
	})
}

func TestOurWorkerRunsMachinerysTasks(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		ours := redisadapter.NewBroker(s.cnf, s.client)
		ours.SetRegisteredTaskNames([]string{"add"})
		var seen journal
		work(t, ours, 1, &processor{process: seen.add})

		theirs := machinerybroker.NewGR(s.cnf, []string{s.options.Addr}, s.options.DB)
		defer theirs.StopConsuming()
		publish(t, theirs, task("add", "a"))
		seen.awaitUUIDs(t, "a")
		publish(t, theirs, delayed("b", time.Now().Add(glance)))
		seen.awaitUUIDs(t, "a", "b")
	})
}

func TestEachBackendReadsTheOthersStates(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		ours := redisadapter.NewBackend(s.cnf, s.client)
		theirs := machinerybackend.NewGR(s.cnf, []string{s.options.Addr}, s.options.DB)
		group, signature := s.name+"g", task("add", s.name+"a")
		results := []*tasks.TaskResult{{Type: "int64", Value: 7}}

		require.NoError(t, theirs.InitGroup(group, []string{signature.UUID}))
		require.NoError(t, theirs.SetStatePending(signature))
		require.NoError(t, ours.SetStateStarted(signature))
		pending, err := theirs.GetState(signature.UUID)
		require.NoError(t, err)
		require.Equal(t, tasks.StateStarted, pending.State)
		require.False(t, pending.CreatedAt.IsZero())

		require.NoError(t, theirs.SetStateSuccess(signature, results))
		done, err := ours.GetState(signature.UUID)
		require.NoError(t, err)
		require.Equal(t, json.Number("7"), done.Results[0].Value)
		require.Equal(t, pending.CreatedAt, done.CreatedAt)

		completed, err := ours.GroupCompleted(group, 1)
		require.NoError(t, err)
		require.True(t, completed)
	})
}

func TestChordTriggeredByOneBackendIsNotTriggeredByTheOther(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		ours := redisadapter.NewBackend(s.cnf, s.client)
		theirs := machinerybackend.NewGR(s.cnf, []string{s.options.Addr}, s.options.DB)
		require.NoError(t, ours.InitGroup(s.name+"g", nil))
		require.NoError(t, theirs.InitGroup(s.name+"h", nil))

		first, err := ours.TriggerChord(s.name + "g")
		require.NoError(t, err)
		require.True(t, first)
		again, err := theirs.TriggerChord(s.name + "g")
		require.NoError(t, err)
		require.False(t, again)

		first, err = theirs.TriggerChord(s.name + "h")
		require.NoError(t, err)
		require.True(t, first)
		again, err = ours.TriggerChord(s.name + "h")
		require.NoError(t, err)
		require.False(t, again)
	})
}
