package adaptertest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// needs skips a clause that is about something the adapter's source cannot do: see Adapter.Unsupported.
func (f *fixture) needs(t *testing.T, what ...string) {
	t.Helper()
	for _, one := range what {
		if reason := f.Unsupported[one]; reason != "" {
			t.Skip(one + ": " + reason)
		}
	}
}

// source returns a source for a clause that needs these abilities.
func (f *fixture) source(t *testing.T, needed ...string) inspect.Source {
	t.Helper()
	f.needs(t, needed...)
	site, ok := f.Site.(SourceSite)
	require.True(t, ok, "the adapter has no source")
	return site.NewSource(t)
}

// tasksIn is the ability to list the tasks in a state.
func tasksIn(state inspect.State) string { return "Tasks(" + string(state) + ")" }

// counts are those of a queue that are compared, by their names.
func counts(q inspect.Queue) map[string]int {
	return map[string]int{
		"Waiting": q.Waiting, "Running": q.Running, "PutBack": q.PutBack, "Delayed": q.Delayed, "Dead": q.Dead, "Workers of a queue": q.Workers,
	}
}

// awaitCounts waits until a queue has these counts and is paused or not. Counts that the adapter cannot tell must be
// inspect.Unknown.
func (f *fixture) awaitCounts(t *testing.T, s inspect.Source, want inspect.Queue) inspect.Queue {
	t.Helper()
	wanted := counts(want)
	for name := range wanted {
		if f.Unsupported[name] != "" {
			wanted[name] = inspect.Unknown
		}
	}
	if want.Paused && f.Unsupported["Workers of a paused queue"] != "" {
		wanted["Workers of a queue"] = inspect.Unknown
	}
	var got inspect.Queue
	reached := func() bool {
		got = f.find(t, s, want.Name)
		return got.Name != "" && got.Paused == want.Paused && equal(wanted, counts(got))
	}
	Eventually(t, reached, "want %v, got %+v", wanted, &got)
	return got
}

func equal(a, b map[string]int) bool {
	for name := range a {
		if a[name] != b[name] {
			return false
		}
	}
	return len(a) == len(b)
}

// find returns a queue, empty where the source does not know it.
func (f *fixture) find(t *testing.T, s inspect.Source, name string) inspect.Queue {
	t.Helper()
	queues, err := s.Queues(t.Context())
	require.NoError(t, err)
	for _, q := range queues {
		if q.Name == name {
			return q
		}
	}
	return inspect.Queue{}
}

// listed returns all tasks of a queue in a state, by pages of so many.
func listed(t *testing.T, s inspect.Source, queue string, state inspect.State, limit int) []inspect.Task {
	t.Helper()
	var all []inspect.Task
	for page := (inspect.Page{Limit: limit}); ; {
		got, err := s.Tasks(t.Context(), queue, state, page)
		require.NoError(t, err)
		require.LessOrEqual(t, len(got.Tasks), page.Size())
		all = append(all, got.Tasks...)
		if got.Next == "" {
			return all
		}
		page.Cursor = got.Next
	}
}

// awaitListed waits until so many tasks of the default queue are in a state.
func (f *fixture) awaitListed(t *testing.T, s inspect.Source, state inspect.State, many int) []inspect.Task {
	t.Helper()
	var all []inspect.Task
	Eventually(t, func() bool {
		all = listed(t, s, f.queue(), state, 0)
		return len(all) == many
	})
	return all
}

func uuidsOf(all []inspect.Task) []string {
	uuids := []string{}
	for _, one := range all {
		uuids = append(uuids, one.UUID)
	}
	return uuids
}
