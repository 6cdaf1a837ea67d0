package envelope_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// FuzzMemory reads lists of one element again and again.
func FuzzMemory(f *testing.F) {
	for element, texts := range cheapElements {
		if raceDetector && strings.HasPrefix(element, "big.") {
			continue
		}
		for _, text := range texts {
			f.Add("[]"+element, text, uint16(100))
		}
	}
	const budget = 1 << 18
	f.Fuzz(func(t *testing.T, expression, element string, count uint16) {
		r := wideRegistry(t, envelope.WithLimits(envelope.Limits{MaxMemory: budget, MaxBytes: 1 << 22}))
		text := holding(expression, "["+strings.Repeat(element+",", int(count))+element+"]")
		_, _ = r.UnmarshalAny(t.Context(), text) // makes the types and plans
		used := allocated(func() { _, _ = r.UnmarshalAny(t.Context(), text) })
		require.LessOrEqual(t, used, 2*budget+1<<16, "%.1000s", text)
	})
}

// FuzzBigFloat makes sure that what is read is written in the same way, and takes no more digits than it may.
func FuzzBigFloat(f *testing.F) {
	for _, text := range []string{
		"0", "-0", "+Inf", "-Inf", "0x.8p+1", "-0x.cp-60000", "0x_8p+1", "0x8p1", "0x.8p+2147483000", "1e9", "0b1", "0x.80p+1", "",
	} {
		f.Add(text, uint32(53))
	}
	r := envelope.NewRegistry()
	f.Fuzz(func(t *testing.T, text string, precision uint32) {
		quoted, err := r.Marshal(t.Context(), []any{text, precision, "ToZero"})
		if err != nil {
			return
		}
		sent := strings.ReplaceAll(strings.Replace(quoted, "[]any", "big.Float", 1), `{"$envelope":1,"type":"uint32","data":`, "")
		sent = strings.Replace(sent, `},"ToZero"`, `,"ToZero"`, 1)
		read, err := readInto[big.Float](r, sent)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(read.Text('f', 0)), 2*envelope.DefaultMaxDigits)
		again, err := r.Marshal(t.Context(), &read)
		require.NoError(t, err)
		back, err := readInto[big.Float](r, again)
		require.NoError(t, err)
		requireSame(t, read, back)
		require.Equal(t, strings.Contains(text, "_"), false)
	})
}
