package redisadapter

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeyBesideAQueueSharesItsSlot(t *testing.T) {
	t.Parallel()
	require.Equal(t, "{tasks}:wake", beside("tasks", ":wake"))
	require.Equal(t, "app:{tasks}:wake", beside("app:{tasks}", ":wake"))
	require.Equal(t, "{a{b}:wake", beside("a{b", ":wake"))
}
