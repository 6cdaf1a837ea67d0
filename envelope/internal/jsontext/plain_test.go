package jsontext

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Reading eight bytes at a time finds what reading one at a time does.
func TestPlainLengthIsWhatOneByteAtATimeGives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		plain := strings.Repeat("a", rapid.IntRange(0, 20).Draw(t, "plain"))
		s := plain + string(rapid.SliceOf(rapid.Byte()).Draw(t, "rest"))
		length := 0
		for length < len(s) && isPlain[s[length]] {
			length++
		}
		require.Equal(t, length, plainLength(s))
	})
}

// Every byte is told from plain ones wherever it stands in a word, whatever its neighbours.
func TestEveryByteIsFoundAtEveryPlace(t *testing.T) {
	t.Parallel()
	for _, neighbour := range []byte{' ', '!', '#', '[', ']', '~', 0x7f} {
		for c := range 256 {
			for at := range 8 {
				text := []byte(strings.Repeat(string(neighbour), 16))
				text[at] = byte(c)
				want := at
				if isPlain[c] {
					want = len(text)
				}
				require.Equal(t, want, plainLength(string(text)), "%q", text)
			}
		}
	}
}

// What is written by thousandths is what strconv writes.
func TestThousandthsAreWrittenAsTheShortestNumber(t *testing.T) {
	t.Parallel()
	require.Equal(t, "-0", thousandths(t, math.Copysign(0, -1)))
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.Int64Range(-1e15, 1e15).Draw(t, "whole")
		scale := rapid.SampledFrom([]float64{1, 10, 100, 1e3, 1e4, 1e9}).Draw(t, "scale")
		f := float64(whole) / scale
		if ulps := rapid.IntRange(-2, 2).Draw(t, "ulps"); ulps != 0 {
			f = math.Float64frombits(math.Float64bits(f) + uint64(ulps))
		}
		written := thousandths(t, f)
		if written != "" {
			require.Equal(t, strconv.FormatFloat(f, 'f', -1, 64), written)
		}
		if whole > -1e12 && whole < 1e12 && scale <= 1e3 && f == float64(whole)/scale {
			require.NotEmpty(t, written, "%v", f)
		}
	})
}

func thousandths(t require.TestingT, f float64) string {
	written, ok := appendThousandths(nil, f)
	require.Equal(t, ok, len(written) > 0)
	return string(written)
}
