package redisadapter_test

import (
	"fmt"
	"testing"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	machinerybackend "github.com/RichardKnop/machinery/v2/backends/redis"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// membersOf makes the members of a chord, and notes their group.
func membersOf(t *testing.T, backend backendsiface.Backend, group string, size int) []*tasks.Signature {
	t.Helper()
	callback := task("sum", group+"callback")
	members, uuids := make([]*tasks.Signature, size), make([]string, size)
	for i := range members {
		members[i] = task("add", fmt.Sprint(group, i))
		members[i].GroupUUID, members[i].GroupTaskCount, members[i].ChordCallback = group, size, callback
		uuids[i] = members[i].UUID
	}
	require.NoError(t, backend.InitGroup(group, uuids))
	for _, member := range members {
		require.NoError(t, backend.SetStatePending(member))
	}
	return members
}

// endsChord ends a member as a worker does, and reports whether all have ended.
func endsChord(t *testing.T, backend backendsiface.Backend, member *tasks.Signature) bool {
	t.Helper()
	require.NoError(t, backend.SetStateSuccess(member, nil))
	completed, err := backend.GroupCompleted(member.GroupUUID, member.GroupTaskCount)
	require.NoError(t, err)
	return completed
}

func TestEachMemberOfAChordCostsTheSame(t *testing.T) {
	t.Parallel()
	cost := make(map[int]int)
	for _, size := range []int{50, 800} {
		server := miniredis.RunT(t)
		backend := redisadapter.NewBackend(newConfig(), dial(t, server))
		members := membersOf(t, backend, "g", size)
		before := server.CommandCount()
		for i, member := range members {
			require.Equal(t, i == size-1, endsChord(t, backend, member))
		}
		cost[size] = (server.CommandCount() - before) / size
	}
	require.LessOrEqual(t, cost[800], cost[50]+1, "commands for each member, by the size of the chord")
}

func TestMembersMayEndInAnyOrderAndInMachinerysWorkers(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	ours := redisadapter.NewBackend(newConfig(), dial(t, server))
	theirs := machinerybackend.NewGR(newConfig(), []string{server.Addr()}, 0)
	for _, step := range []int{1, 7, 92} { // each goes through all of 93
		members := membersOf(t, ours, fmt.Sprint("group", step), 93)
		for i := range members {
			backend := ours
			if i%2 == 1 {
				backend = theirs
			}
			last := i == len(members)-1
			require.Equal(t, last, endsChord(t, backend, members[(i*step)%93]), "after %d members", i+1)
		}
		states, err := ours.GroupTaskStates(members[0].GroupUUID, 93)
		require.NoError(t, err)
		require.Len(t, states, 93)
		require.True(t, triggers(t, ours, members[0].GroupUUID))
	}
}

// The sender is another process than the worker, which is not told.
func TestGroupThatIsSentAgainIsNotTakenForTheOneBefore(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		sender, worker := redisadapter.NewBackend(s.cnf, s.client), redisadapter.NewBackend(s.cnf, s.client)
		for range 3 {
			members := membersOf(t, sender, s.prefix+"group", 5)
			for i, member := range members {
				require.Equal(t, i == 4, endsChord(t, worker, member))
			}
			require.True(t, triggers(t, worker, s.prefix+"group"))
			_, err := worker.GroupTaskStates(s.prefix+"group", 5)
			require.NoError(t, err)
		}
	})
}

func TestManyMembersMayEndAtOnce(t *testing.T) {
	onEveryClient(t, func(t *testing.T, s *backendSite) {
		backend := redisadapter.NewBackend(s.cnf, s.client)
		members := membersOf(t, backend, s.prefix+"group", 64)
		completed := make(chan bool, len(members))
		for _, member := range members {
			go func() {
				err := backend.SetStateSuccess(member, nil)
				last, completedErr := backend.GroupCompleted(member.GroupUUID, 64)
				completed <- err == nil && completedErr == nil && last
			}()
		}
		ended := 0
		for range members {
			if <-completed {
				ended++
			}
		}
		require.Positive(t, ended)
		require.True(t, triggers(t, backend, s.prefix+"group"))
	})
}
