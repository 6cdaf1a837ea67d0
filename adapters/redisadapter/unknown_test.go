package redisadapter

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPauseIsDueAfterOneRoundOfTheQueue(t *testing.T) {
	t.Parallel()
	var u unknownTasks
	u.returned(3)
	u.returned(3)
	require.False(t, u.takePause())
	u.returned(3)
	require.True(t, u.takePause())
	require.False(t, u.takePause(), "one round is worth one pause")
}

func TestPauseIsDueBeforeALongRoundEnds(t *testing.T) {
	t.Parallel()
	var u unknownTasks
	for range maxReturned - 1 {
		u.returned(1_000_000)
	}
	require.False(t, u.takePause())
	u.returned(1_000_000)
	require.True(t, u.takePause())
}

func TestKnownTaskEndsTheRow(t *testing.T) {
	t.Parallel()
	var u unknownTasks
	u.returned(2)
	u.known()
	u.returned(2)
	require.False(t, u.takePause())
}

func TestUnknownTasksInARowAreReportedOnce(t *testing.T) {
	t.Parallel()
	var u unknownTasks
	require.True(t, u.returned(1))
	require.False(t, u.returned(1))
	u.known()
	require.True(t, u.returned(1))
}
