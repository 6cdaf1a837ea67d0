package redis_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A Redis that does not wait for its disk may have lost, when it comes back, what it had confirmed just before. What it
// keeps is done.
func TestRedisThatSyncsEverySecondLosesNoMoreThanThat(t *testing.T) {
	t.Parallel()
	const (
		kills = 3
		each  = 200
		// unsynced is how old a write can be that is not on disk: Redis puts off writing for another second while a
		// sync is under way.
		unsynced = 2 * time.Second
	)
	s := startServerThatSyncs(t, "everysec")
	r := newRun(t, s)
	f := launchFleet(t, s, 2)
	sent := make(map[string]time.Time)
	var killed []time.Time
	for i := range kills {
		for chain := range each {
			r.send(i*each + chain)
			sent[Step{Chain: i*each + chain, Index: 1}.String()] = time.Now()
		}
		killed = append(killed, time.Now())
		s.kill()
		require.NoError(t, s.start())
	}
	r.send(kills * each)
	last := Step{Chain: kills * each, Index: stepsPerChain}.String()
	eventually(t, func() bool { return r.hasEffect(last) && len(r.leftOver()) == 0 }, r.whereabouts)

	lost := 0
	for _, effect := range r.missing() {
		at, first := sent[effect]
		if !first {
			continue // it was to follow one that is missing too
		}
		lost++
		require.True(t, lostInTime(at, killed, unsynced), "%s was sent long before Redis was killed", effect)
	}
	require.LessOrEqual(t, len(r.missing()), lost*stepsPerChain, "the first step of a chain is kept, and the next is lost")
	r.requireNoLetters()
	require.Zero(t, f.died(), "workers died of it")
	t.Logf("%d kills of a Redis with appendfsync everysec: %d of %d chains lost", kills, lost, kills*each)
}

// lostInTime reports whether Redis was killed so shortly after a time.
func lostInTime(at time.Time, killed []time.Time, unsynced time.Duration) bool {
	for _, kill := range killed {
		if kill.After(at) && kill.Sub(at) <= unsynced {
			return true
		}
	}
	return false
}
