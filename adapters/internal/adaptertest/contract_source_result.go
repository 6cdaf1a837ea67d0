package adaptertest

import (
	"strings"
	"testing"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

var sourceResultClauses = []clause{
	{"StateOfATaskIsTold", stateOfATaskIsTold},
	{"MembersOfAGroupAreListedWithTheirStates", membersOfAGroupAreListedWithTheirStates},
	{"LargeResultsOfMembersAreLeftOut", largeResultsOfMembersAreLeftOut},
}

// backend returns one of the site, and names for tasks and a group that no other test uses.
func (f *fixture) backend(t *testing.T) (backend backendsiface.Backend, group string, members []string) {
	t.Helper()
	for _, one := range []string{"-a", "-b", "-c"} {
		members = append(members, "task_"+f.queue()+one)
	}
	return f.Site.(SourceSite).NewBackend(t), "group_" + f.queue(), members
}

func stateOfATaskIsTold(t *testing.T, f *fixture) {
	s := f.source(t, "TaskState")
	backend, _, uuids := f.backend(t)
	done, failed := Task("add", uuids[0]), Task("add", uuids[1])
	result := &tasks.TaskResult{Type: "int64", Value: int64(1)<<62 + 1}
	require.NoError(t, backend.SetStatePending(done))
	require.NoError(t, backend.SetStateSuccess(done, []*tasks.TaskResult{result}))
	require.NoError(t, backend.SetStateFailure(failed, "no good"))
	for range 2 { // to look takes nothing away
		state, err := s.TaskState(t.Context(), uuids[0])
		require.NoError(t, err)
		assert.Equal(t, tasks.StateSuccess, state.State)
		assert.Equal(t, "add", state.TaskName)
		assert.Equal(t, "4611686018427387905", state.Results[0].Value.(interface{ String() string }).String())
		state, err = s.TaskState(t.Context(), uuids[1])
		require.NoError(t, err)
		assert.Equal(t, tasks.StateFailure, state.State)
		assert.Equal(t, "no good", state.Error)
	}
	_, err := s.TaskState(t.Context(), uuids[2])
	assert.ErrorIs(t, err, inspect.ErrNotFound)
}

func membersOfAGroupAreListedWithTheirStates(t *testing.T, f *fixture) {
	s := f.source(t, "Group")
	backend, group, uuids := f.backend(t)
	require.NoError(t, backend.InitGroup(group, uuids))
	require.NoError(t, backend.SetStatePending(Task("add", uuids[0])))
	require.NoError(t, backend.SetStateSuccess(Task("add", uuids[1]), []*tasks.TaskResult{{Type: "string", Value: "x"}}))
	for _, limit := range []int{0, 1, 2} {
		var members []inspect.Member
		for page := (inspect.Page{Limit: limit}); ; {
			got, err := s.Group(t.Context(), group, page)
			require.NoError(t, err)
			assert.Equal(t, group, got.UUID)
			assert.Equal(t, 3, got.Size)
			assert.Equal(t, 3, got.Counted)
			assert.Equal(t, map[string]int{tasks.StatePending: 1, tasks.StateSuccess: 1, "": 1}, got.States)
			require.LessOrEqual(t, len(got.Members), page.Size())
			members = append(members, got.Members...)
			if got.Next == "" {
				break
			}
			page.Cursor = got.Next
		}
		require.Len(t, members, 3)
		for i, member := range members {
			assert.Equal(t, uuids[i], member.UUID)
		}
		assert.Equal(t, tasks.StatePending, members[0].State.State)
		assert.Equal(t, "x", members[1].State.Results[0].Value)
		assert.Nil(t, members[2].State)
	}
	_, err := s.Group(t.Context(), uuids[1], inspect.Page{})
	assert.ErrorIs(t, err, inspect.ErrNotFound, "that is a task")
	_, err = s.Group(t.Context(), group, inspect.Page{Cursor: "x"})
	assert.ErrorIs(t, err, inspect.ErrCursor)
}

func largeResultsOfMembersAreLeftOut(t *testing.T, f *fixture) {
	s := f.source(t, "Group", "TaskState")
	backend, group, uuids := f.backend(t)
	require.NoError(t, backend.InitGroup(group, uuids[:1]))
	large := []*tasks.TaskResult{{Type: "string", Value: strings.Repeat("x", 2*inspect.MaxBody)}}
	require.NoError(t, backend.SetStateSuccess(Task("add", uuids[0]), large))
	got, err := s.Group(t.Context(), group, inspect.Page{})
	require.NoError(t, err)
	require.Len(t, got.Members, 1)
	assert.Equal(t, tasks.StateSuccess, got.Members[0].State.State)
	assert.Equal(t, uuids[0], got.Members[0].State.TaskUUID)
	assert.Empty(t, got.Members[0].State.Results)
	whole, err := s.TaskState(t.Context(), uuids[0])
	require.NoError(t, err)
	assert.Len(t, whole.Results[0].Value, 2*inspect.MaxBody)
}
