package amqpadapter

import (
	"math"
	"math/bits"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDelaysAreNeverShortened(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(1, int64(maxDelay)).Draw(t, "delay"))
		n := milliseconds(d)
		got := time.Duration(n) * time.Millisecond
		require.GreaterOrEqual(t, got, d)
		require.LessOrEqual(t, got-d, time.Millisecond+d/(1<<(delayPrecision-1)))
		require.LessOrEqual(t, bits.OnesCount32(n), delayPrecision)
	})
}

func TestDelaysThatNeedNoQueueOrAllOfThem(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]uint32{
		-time.Hour:               0,
		0:                        0,
		1:                        1,
		time.Millisecond:         1,
		20 * time.Millisecond:    20,
		maxDelay:                 math.MaxUint32 - math.MaxUint16,
		time.Duration(1<<63 - 1): math.MaxUint32 - math.MaxUint16,
	} {
		require.Equal(t, want, milliseconds(d), d)
	}
}
