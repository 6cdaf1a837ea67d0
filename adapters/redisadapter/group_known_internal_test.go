package redisadapter

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKnownGroupsAreBounded(t *testing.T) {
	var known knownGroups
	for i := range 5 {
		known.count(known.of(fmt.Sprint(i)), maxKnownMembers/2)
	}
	require.Len(t, known.oldest, 2)
	require.Len(t, known.byUUID, 2)
	require.Equal(t, maxKnownMembers, known.members)
	known.count(known.of("large"), 2*maxKnownMembers)
	require.Len(t, known.oldest, 1)
	known.forget("large")
	require.Zero(t, known.members)
}

// Its members would count for ever, and keep others from being known.
func TestGroupThatIsForgottenWhileItIsReadIsNotCounted(t *testing.T) {
	t.Parallel()
	var known knownGroups
	forgotten := known.of("group")
	known.forget("group")
	again := known.of("group")
	known.count(forgotten, 3)
	require.Zero(t, known.members)
	known.count(again, 2)
	require.Equal(t, 2, known.members)
	known.forget("group")
	require.Zero(t, known.members)
}
