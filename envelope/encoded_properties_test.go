package envelope_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/zstdencoding"
)

// anyStack makes up what is done to payloads.
func anyStack(t *rapid.T) []envelope.Option {
	encodings := rapid.Permutation([]envelope.Encoding{
		zstdencoding.New(zstdencoding.MinSize(0)), flateCompression{}, xorEncoding{"x"},
	}).Draw(t, "encodings")
	opts := []envelope.Option{envelope.Encodings(encodings[:rapid.IntRange(0, 3).Draw(t, "applied")]...)}
	switch rapid.IntRange(0, 2).Draw(t, "encryption") {
	case 1:
		opts = append(opts, envelope.EncryptAll(testAEAD{}))
	case 2:
		opts = append(opts, envelope.EncryptMarked(testAEAD{}))
	}
	if rapid.Bool().Draw(t, "store") {
		opts = append(opts, envelope.WithStore(memoryStore{}, rapid.IntRange(0, 100).Draw(t, "threshold")))
	}
	return opts
}

func TestWhatArrivesEncodedEqualsWhatWasSent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := envelope.NewRegistry(anyStack(t)...)
		registerFigures(t, r)
		sent := lossless.value(t, rapid.SampledFrom(namedTypes).Draw(t, "type")).Interface()

		text, err := r.Marshal(t.Context(), sent)
		require.NoError(t, err)
		arrived, err := r.UnmarshalAny(t.Context(), text)
		require.NoError(t, err, text)
		requireSame(t, sent, arrived, text)

		again, err := r.Marshal(t.Context(), arrived)
		require.NoError(t, err)
		require.Equal(t, text, again)
	})
}

func TestManyGoroutinesShareBuffersWithoutHarm(t *testing.T) {
	t.Parallel()
	r := newShop(t, envelope.Encodings(zstdencoding.New(zstdencoding.MinSize(0)), xorEncoding{"x"}), envelope.EncryptMarked(testAEAD{}))
	require.NoError(t, envelope.Register[clinicCard](r, "clinic.Card", envelope.Encrypted()))
	require.NoError(t, envelope.Register[measurement](r, "lab.Measurement", envelope.UseCodec(gobCodec{})))
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 100 {
				sent := []any{worker, clinicCard{repetitive[:i]}, measurement{Unit: repetitive[i:]}}
				for _, v := range []any{sent, sent[worker%3], repetitive[i*worker:]} {
					text, err := r.Marshal(context.Background(), v)
					assert.NoError(t, err)
					arrived, err := r.UnmarshalAny(context.Background(), text)
					assert.NoError(t, err)
					assert.Equal(t, v, arrived)
				}
			}
		})
	}
	group.Wait()
}

func encodedFuzzRegistry(t require.TestingT) *envelope.Registry {
	r := envelope.NewRegistry(envelope.Encodings(zstdencoding.New(zstdencoding.MinSize(0)), xorEncoding{"x"}),
		envelope.EncryptMarked(testAEAD{}), envelope.WithStore(memoryStore{}, 1000), envelope.WithLimits(envelope.Limits{MaxBytes: 1 << 20}))
	registerFigures(t, r)
	return r
}

func FuzzUnmarshalEncoded(f *testing.F) {
	r := encodedFuzzRegistry(f)
	for _, file := range []string{"encoded.json", "encoded_refused.json"} {
		for _, v := range readEncodedVectors(f, file) {
			f.Add(v.Envelope)
		}
	}
	for _, v := range []any{1, "text", []any{Box{1}, nil}, repetitive, Sketch{}} {
		text, err := r.Marshal(f.Context(), v)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = r.Inspect(t.Context(), text)
		value, err := r.UnmarshalAny(t.Context(), text)
		if err != nil {
			require.Nil(t, value)
			return
		}
		_, err = envelope.Parse(text)
		require.NoError(t, err, "what can be read can be taken apart")
		requireStable(t, r, value)
	})
}

// FuzzPayload makes sure that a payload means the same whether it was encoded or not.
func FuzzPayload(f *testing.F) {
	plain, encoded := envelope.NewRegistry(), envelope.NewRegistry(envelope.Encodings(xorEncoding{"x"}))
	registerFigures(f, plain)
	registerFigures(f, encoded)
	for _, seed := range append(fuzzSeeds, "", "1", " 1 ", "1}", "null", `1,"version":1`, `"text"`, "[1", "{}}") {
		f.Add("any", seed)
		f.Add("library.Box", seed)
	}
	f.Fuzz(func(t *testing.T, typeName, payload string) {
		want, wantErr := plain.UnmarshalAny(t.Context(), opened(typeName, payload))
		got, err := encoded.UnmarshalAny(t.Context(), encodedEnvelope(typeName, `"x"`, xorBytes([]byte(payload), 'x')))
		require.Equal(t, wantErr == nil, err == nil, "%v %v", wantErr, err)
		requireSame(t, want, got)
	})
}
