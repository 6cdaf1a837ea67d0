package redisadapter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConsumerIsSteadyAfterAWholeTimeoutWithoutAMissedBeat(t *testing.T) {
	t.Parallel()
	const timeout = 4 * time.Second
	now := time.Unix(0, 0)
	l := liveness{timeout: timeout}
	require.False(t, l.beat(now, -1), "the first beat is not late")
	for range beatsPerTimeout {
		require.False(t, l.steady())
		now = now.Add(timeout / beatsPerTimeout)
		require.False(t, l.beat(now, timeout/beatsPerTimeout))
	}
	require.True(t, l.steady())

	now = now.Add(3 * time.Second)
	require.False(t, l.beat(now, 3*time.Second), "others wait for the whole timeout")
	require.False(t, l.steady())
}

func TestConsumerLearnsThatOthersMayHaveTakenItForDead(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	l := liveness{timeout: time.Second}
	l.beat(now, -1)
	require.True(t, l.beat(now.Add(2*time.Second), 2*time.Second))
	require.True(t, l.beat(now.Add(3*time.Second), -1), "Redis does not know it any more")
	require.False(t, l.steady())
}
