package envelope_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// requireAnyOrder tries all triples of options, and so all pairs and each one alone, in every order.
func requireAnyOrder[O any](t *testing.T, options []O, outcome func(...O) string) {
	t.Helper()
	for i := range options {
		for j := i; j < len(options); j++ {
			for k := j; k < len(options); k++ {
				a, b, c := options[i], options[j], options[k]
				want := outcome(a, b, c)
				for _, order := range [][]O{{a, c, b}, {b, a, c}, {b, c, a}, {c, a, b}, {c, b, a}} {
					require.Equal(t, want, outcome(order...), "options %d, %d and %d", i, j, k)
				}
			}
		}
	}
}

func TestTheOrderOfRegistryOptionsNeverMatters(t *testing.T) {
	requireAnyOrder(t, []envelope.Option{
		envelope.RefuseUnknownMembers(), envelope.AllowUnencrypted(),
		envelope.EncryptAll(testAEAD{}), envelope.EncryptMarked(testAEAD{}),
		envelope.Encodings(xorEncoding{"x"}), envelope.Encodings(xorEncoding{"y"}), envelope.Encodings(),
		envelope.WithStore(memoryStore{}, 1), envelope.WithStore(memoryStore{}, 2),
		envelope.WithLimits(envelope.Limits{MaxBytes: 1}), envelope.WithLimits(envelope.Limits{}),
	}, envelope.SettingsOf)
}

func TestTheOrderOfTypeOptionsNeverMatters(t *testing.T) {
	number := func(_ context.Context, d time.Duration) (int64, error) { return int64(d), nil }
	duration := func(_ context.Context, n int64) (time.Duration, error) { return time.Duration(n), nil }
	requireAnyOrder(t, []envelope.TypeOption{
		envelope.Alias("a"), envelope.Alias("b", "c"), envelope.IgnoreUnexported(), envelope.StaticOnly(),
		envelope.Encrypted(), envelope.Secret(), envelope.Version(1), envelope.Version(2), envelope.Version(3),
		envelope.EncodedBy(), envelope.EncodedBy(xorEncoding{"x"}),
		envelope.Upgrade(1, duration), envelope.Upgrade(2, duration), envelope.Convert(number, duration),
	}, envelope.RegistrationOf)
}

// What cannot be meant is told where the registry is made, by name.
func TestARegistryTellsWhichOptionCannotBeUsed(t *testing.T) {
	require.NoError(t, envelope.NewRegistry().Err())
	limits := envelope.WithLimits(envelope.Limits{MaxBytes: 1})
	for want, opts := range map[string][]envelope.Option{
		"WithLimits: MaxDepth is negative": {envelope.WithLimits(envelope.Limits{MaxDepth: -1})},
		"WithLimits is given twice":        {limits, limits},
		"Encodings is given twice":         {envelope.Encodings(), envelope.Encodings(xorEncoding{"x"})},
		"WithStore is given twice":         {envelope.WithStore(memoryStore{}, 1), envelope.WithStore(memoryStore{}, 1)},
	} {
		err := envelope.NewRegistry(opts...).Err()
		assert.ErrorIs(t, err, envelope.ErrRegistration)
		assert.ErrorContains(t, err, want)
	}
}
