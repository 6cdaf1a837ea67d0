package adaptertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// Patience bounds every wait for something that has to happen, on a machine that is busy with other things.
	Patience = 5 * time.Minute
	tick     = 2 * time.Millisecond
)

// Eventually waits until a condition holds, and fails the test where it does not in five minutes.
func Eventually(t testing.TB, condition func() bool, message ...any) {
	t.Helper()
	require.Eventually(t, condition, Patience, tick, message...)
}

// Await waits until a channel is closed or has a value, and fails the test where it is not in five minutes.
func Await[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case value := <-c:
		return value
	case <-time.After(Patience):
		require.FailNow(t, "waited in vain")
		panic("unreachable")
	}
}

// Closed reports whether a channel is closed or has a value, which it takes.
func Closed[T any](c <-chan T) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
