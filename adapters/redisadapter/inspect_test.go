package redisadapter_test

import (
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func TestListingEndsBeforeItFillsMemory(t *testing.T) {
	t.Parallel()
	s, _ := embedded(t)
	broker := newWorkingBroker(s)
	const sent = 70
	for range sent {
		publish(t, broker, task("add", "a", tasks.Arg{Type: "string", Value: strings.Repeat("x", 1<<20)}))
	}
	pending, err := broker.GetPendingTasks("")
	require.ErrorIs(t, err, redisadapter.ErrMorePending)
	require.ErrorContains(t, err, "of 70")
	require.Len(t, pending, 64)
}

func TestListingReadsAllPages(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		broker := newWorkingBroker(s)
		var want []string
		for i := range 30 {
			uuid := strings.Repeat("u", i+1)
			want = append(want, uuid)
			publish(t, broker, task("add", uuid, tasks.Arg{Type: "string", Value: strings.Repeat("x", 100<<10)}))
		}
		pending, err := broker.GetPendingTasks("")
		require.NoError(t, err)
		require.Equal(t, want, uuidsOf(pending))
	})
}

func uuidsOf(signatures []*tasks.Signature) []string {
	uuids := make([]string, len(signatures))
	for i, s := range signatures {
		uuids[i] = s.UUID
	}
	return uuids
}
