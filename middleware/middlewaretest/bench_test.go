package middlewaretest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// aTest is a test within a benchmark.
type aTest struct {
	testing.TB
	cleanups []func()
}

func (t *aTest) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *aTest) end() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}

// BenchmarkTest is a test of a chord of three, from its server to its end.
func BenchmarkTest(b *testing.B) {
	for b.Loop() {
		t := &aTest{TB: b}
		s := newShop(t)
		res, err := s.Middleware.SendChord(b.Context(), newChord(t, s), 0)
		require.NoError(b, err)
		require.Equal(b, 4, s.Run(b.Context()))
		require.Equal(b, Quote{"o-1", 720}, await[Quote](t, s, res))
		t.end()
	}
}
