package redisadapter_test

import (
	"errors"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// An empty queue gets the first tasks whatever their priority. A worker compares a hundred of its head at a time with those
// that wait by priority.
func TestManyTasksOfAPriorityKeepTheirOrder(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		s.client.Set(t.Context(), "{"+s.cnf.DefaultQueue+"}:priorities", "9", 0)
		broker := newPatientBroker(s, redisadapter.WithPriorities())
		signatures, uuids := s.many(250)
		for _, signature := range signatures {
			signature.Priority = 1
		}
		require.NoError(t, errors.Join(broker.(redisadapter.Broker).PublishMany(t.Context(), signatures)...))
		urgent := task("add", "urgent")
		urgent.Priority = 2
		publish(t, broker, urgent)

		var seen journal
		work(t, broker, 1, &processor{Func: seen.Add})
		eventually(t, func() bool { return seen.Len() == 251 })
		require.Equal(t, append([]string{"urgent"}, uuids...), seen.UUIDs())
	})
}

// The state of a member of a group is written before, and that of another task goes with it.
func TestTasksOfABatchKeepTheirOrderWhereverTheirStatesAreWritten(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		m := s.middleware(t)
		s.pair(t, m)
		signatures, uuids := s.many(4)
		signatures[1].GroupUUID, signatures[1].GroupTaskCount = s.name+"-group", 1
		results, err := m.SendTasks(t.Context(), signatures...)
		require.NoError(t, err)
		bodies := s.list(t, s.cnf.DefaultQueue)
		require.Len(t, bodies, len(uuids))
		for i, body := range bodies {
			require.Contains(t, body, `"`+uuids[i]+`"`)
			require.Equal(t, tasks.StatePending, results[i].GetState().State)
			require.Positive(t, s.client.TTL(t.Context(), uuids[i]).Val())
		}
	})
}

func TestManyTasksAreSentWhereTheDefaultQueueHasNoName(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	s.cnf.DefaultQueue = ""
	signatures, _ := s.many(2)
	broker := redisadapter.NewBroker(s.cnf, s.client)
	require.NoError(t, errors.Join(broker.(redisadapter.Broker).PublishMany(t.Context(), signatures)...))
	require.Len(t, s.list(t, ""), 2)
}
