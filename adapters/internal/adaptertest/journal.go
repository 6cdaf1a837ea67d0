package adaptertest

import (
	"slices"
	"sync"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"
)

// A Journal keeps the tasks that a processor was given, in order.
type Journal struct {
	mu   sync.Mutex
	seen []*tasks.Signature
}

// Add adds a task. It returns nil, so that it can be the function of a Processor.
func (j *Journal) Add(s *tasks.Signature) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen = append(j.seen, s)
	return nil
}

// Tasks returns what was added so far.
func (j *Journal) Tasks() []*tasks.Signature {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.seen)
}

// UUIDs returns those of the tasks that were added so far.
func (j *Journal) UUIDs() []string {
	uuids := []string{}
	for _, s := range j.Tasks() {
		uuids = append(uuids, s.UUID)
	}
	return uuids
}

// Len returns how many tasks were added so far.
func (j *Journal) Len() int { return len(j.Tasks()) }

// Await waits for exactly these tasks, in any order.
func (j *Journal) Await(t testing.TB, uuids ...string) {
	t.Helper()
	Eventually(t, func() bool { return j.Len() >= len(uuids) })
	require.ElementsMatch(t, uuids, j.UUIDs())
}

// AwaitInOrder waits for exactly these tasks, in this order.
func (j *Journal) AwaitInOrder(t testing.TB, uuids ...string) {
	t.Helper()
	Eventually(t, func() bool { return j.Len() >= len(uuids) })
	require.Equal(t, uuids, j.UUIDs())
}
