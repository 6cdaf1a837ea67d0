package redis_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// The backend is away for so long that each task would be given up, were its attempts counted.
func TestOutageOfTheBackendIsNoFaultOfTasks(t *testing.T) {
	const few = 6
	s := startServers(t)
	r := newRun(t, s)
	for chain := range few {
		r.send(chain)
	}
	s.backend.kill()
	f := launchFleet(t, s, 3)
	r.awaitDeferrals(2 * few * deliveryLimit)
	require.Zero(t, r.done())
	require.NoError(t, s.backend.start())
	r.awaitAll()
	r.requireNoLetters()
	require.Zero(t, f.died(), "workers died of it")
}

// The next step of a chain is a callback of the one before.
func TestOutageOfTheBackendLosesNoCallback(t *testing.T) {
	const many, outages = 1000, 2
	s := startServers(t)
	r := newRun(t, s)
	for chain := range many {
		r.send(chain)
	}
	f := launchFleet(t, s, 3)
	for i := range outages {
		r.awaitDone((i + 1) * len(r.sent) / (outages + 2))
		s.backend.kill()
		r.awaitDeferrals(r.deferrals() + 30)
		require.NoError(t, s.backend.start())
	}
	r.awaitAll()
	r.requireNoLetters()
	require.Zero(t, f.died(), "workers died of it")
}

func (r *run) requireNoLetters() {
	r.t.Helper()
	letters, err := redisadapter.NewDeadLetters(r.client, deadLettersKey).Count(context.Background())
	require.NoError(r.t, err)
	require.Zero(r.t, letters)
}

// deferrals returns how often a task was deferred, as Redis counts a command that nothing else uses but a worker's check
// of its permissions, once.
func (r *run) deferrals() int { return r.stat("commandstats", `cmdstat_lpos:calls=(\d+)`) }

// stat returns a number from a section of INFO, 0 where it is not there.
func (r *run) stat(section, pattern string) int {
	stats, err := r.client.Info(context.Background(), section).Result()
	require.NoError(r.t, err)
	found := regexp.MustCompile(pattern).FindStringSubmatch(stats)
	if found == nil {
		return 0
	}
	calls, err := strconv.Atoi(found[1])
	require.NoError(r.t, err)
	return calls
}

func (r *run) awaitDeferrals(many int) {
	r.t.Helper()
	eventually(r.t, func() bool { return r.deferrals() >= many }, func() string {
		return fmt.Sprintf("%d of %d deferrals", r.deferrals(), many)
	})
}
