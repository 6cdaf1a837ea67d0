package adaptertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var outageClauses = []clause{
	{"OutageIsWaitedOutAndLoggedOnce", outageIsWaitedOutAndLoggedOnce},
	{"PublishWaitsForALostServerOnlySoLong", publishWaitsForALostServerOnlySoLong},
	{"CutConnectionsLoseNoTask", cutConnectionsLoseNoTask},
}

func outageIsWaitedOutAndLoggedOnce(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	var seen Journal
	ended := Work(t, broker, 2, &Processor{Func: seen.Add})
	Publish(t, broker, Task("add", "a"))
	seen.Await(t, "a")

	f.Network().Interrupt()
	published := make(chan error, 1)
	go func() { published <- broker.Publish(t.Context(), Task("add", "b")) }()
	Eventually(t, func() bool { return f.Network().Refused() >= 4 && f.log.Count("server fails") > 0 })
	assert.False(t, Closed(published), "a task cannot be sent while the server is away")
	assert.False(t, Closed(ended))
	f.Network().Mend()
	require.NoError(t, Await(t, published))
	seen.Await(t, "a", "b")
	Eventually(t, func() bool { return f.log.Count("server works again") > 0 }, f.log)
	broker.StopConsuming()
	assert.Equal(t, 1, f.log.Count("server fails"), f.log)
	assert.Equal(t, 1, f.log.Count("server works again"), f.log)
}

func publishWaitsForALostServerOnlySoLong(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{PublishTimeout: new(50 * time.Millisecond)})
	f.Network().Interrupt()
	failed := make(chan error, 1)
	go func() { failed <- broker.Publish(t.Context(), Task("add", "a")) }()
	assert.ErrorContains(t, Await(t, failed), "task add")
	f.Network().Mend()
	Eventually(t, func() bool { return broker.Publish(t.Context(), Task("add", "b")) == nil })
}

func cutConnectionsLoseNoTask(t *testing.T, f *fixture) {
	const senders, each, cuts = 4, 20, 3
	broker := f.broker(t, Options{})
	var seen Journal
	Work(t, broker, 4, &Processor{Func: seen.Add})
	done := make(chan struct{})
	go func() {
		defer close(done)
		Concurrently(senders, func(sender int) {
			for i := range each {
				assert.NoError(t, broker.Publish(t.Context(), Task("add", fmt.Sprint(sender, "-", i))))
			}
		})
	}()
	for part := range cuts {
		Eventually(t, func() bool { return seen.Len() > part*each })
		f.Network().Cut()
	}
	Await(t, done)
	Eventually(t, func() bool { return len(unique(seen.UUIDs())) == senders*each })
}

func unique(texts []string) map[string]bool {
	set := make(map[string]bool)
	for _, text := range texts {
		set[text] = true
	}
	return set
}
