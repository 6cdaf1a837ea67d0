package redisadapter

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRestIsDueAfterALapOfTheQueue(t *testing.T) {
	var l lap
	l.miss(3)
	l.miss(3)
	require.False(t, l.takeRest())
	l.miss(3)
	require.True(t, l.takeRest())
	require.False(t, l.takeRest(), "one lap is worth one rest")
}

func TestRestIsDueBeforeALongLapEnds(t *testing.T) {
	var l lap
	for range longestLap - 1 {
		l.miss(1_000_000)
	}
	require.False(t, l.takeRest())
	l.miss(1_000_000)
	require.True(t, l.takeRest())
}

func TestKnownTaskEndsTheLap(t *testing.T) {
	var l lap
	l.miss(2)
	l.hit()
	l.miss(2)
	require.False(t, l.takeRest())
}

func TestUnknownTasksInARowAreReportedOnce(t *testing.T) {
	var l lap
	require.True(t, l.miss(1))
	require.False(t, l.miss(1))
	l.hit()
	require.True(t, l.miss(1))
}

func TestKeyBesideAQueueSharesItsSlot(t *testing.T) {
	require.Equal(t, "{tasks}:wake", beside("tasks", ":wake"))
	require.Equal(t, "app:{tasks}:wake", beside("app:{tasks}", ":wake"))
	require.Equal(t, "{a{b}:wake", beside("a{b", ":wake"))
}
