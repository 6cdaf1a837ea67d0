package adaptertest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
)

var inspectClauses = []clause{
	{"PendingTasksAreListedAndStay", pendingTasksAreListedAndStay},
	{"PendingTasksOfAnEmptyQueueAreNone", pendingTasksOfAnEmptyQueueAreNone},
	{"ListingReportsAMessageThatIsNoTask", listingReportsAMessageThatIsNoTask},
}

func pendingTasksAreListedAndStay(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{MaxAttempts: new(2)})
	Publish(t, broker, Task("add", "a"), Task("add", "b"), Routed(f.custom(), "c"))
	for range 5 {
		for queue, want := range map[string][]string{"": {"a", "b"}, f.queue(): {"a", "b"}, f.custom(): {"c"}} {
			pending, err := broker.GetPendingTasks(queue)
			require.NoError(t, err)
			var got []string
			for _, s := range pending {
				got = append(got, s.UUID)
			}
			assert.Equal(t, want, got)
		}
	}
	// To have looked is no attempt.
	var seen Journal
	Start(t, broker, seen.Add)
	seen.Await(t, "a", "b")
}

func pendingTasksOfAnEmptyQueueAreNone(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	Publish(t, broker, Task("add", "a"))
	f.Next(t, f.queue())
	pending, err := broker.GetPendingTasks("")
	require.NoError(t, err)
	assert.Empty(t, pending)
}

func listingReportsAMessageThatIsNoTask(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	Publish(t, broker, Task("add", "a"))
	f.Enqueue(t, f.queue(), []byte("secret"))
	_, err := broker.GetPendingTasks("")
	require.ErrorIs(t, err, deadletter.ErrNoTask)
	assert.NotContains(t, err.Error(), "secret")
	Eventually(t, func() bool { return f.Waiting(t, f.queue()) == 2 })
}
