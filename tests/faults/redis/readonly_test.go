package redis_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// A failover leaves clients connected to what is a replica now.
func TestRedisThatTurnsReadOnlyUnderItsClientsLosesNoTask(t *testing.T) {
	t.Parallel()
	const turns, each = 4, 100
	s := startServer(t)
	r := newRun(t, s)
	f := launchFleet(t, s, 2)
	admin := s.dial()
	for i := range turns {
		for chain := range each {
			r.send(i*each + chain)
		}
		// Its master is nowhere, so that it keeps what it has.
		require.NoError(t, admin.SlaveOf(context.Background(), "127.0.0.1", "1").Err())
		refused := r.refusals()
		eventually(t, func() bool { return r.refusals() >= refused+10 }, func() string { return "nobody notices" })
		require.NoError(t, admin.SlaveOf(context.Background(), "NO", "ONE").Err())
	}
	r.awaitAll()
	r.requireNoLetters()
	require.Zero(t, f.died(), "workers died of it")
}

// refusals returns how many commands Redis has refused because it is read-only.
func (r *run) refusals() int { return r.stat("errorstats", `errorstat_READONLY:count=(\d+)`) }
