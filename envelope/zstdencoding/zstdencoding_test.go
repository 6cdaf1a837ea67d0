package zstdencoding_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/zstdencoding"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const mebibyte = 1 << 20

func compress(t require.TestingT, data []byte, opts ...zstd.EOption) []byte {
	var buf bytes.Buffer
	writer, err := zstd.NewWriter(&buf, append(opts, zstd.WithEncoderConcurrency(1))...)
	require.NoError(t, err)
	_, err = writer.Write(data)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	return buf.Bytes()
}

func encodingOf(t *testing.T, r *envelope.Registry, v any) []string {
	t.Helper()
	text, err := r.Marshal(t.Context(), v)
	require.NoError(t, err)
	arrived, err := r.UnmarshalAny(t.Context(), text)
	require.NoError(t, err)
	assert.Equal(t, v, arrived)
	parsed, err := envelope.Parse(text)
	require.NoError(t, err)
	return parsed.Encoding
}

func TestOnlyPayloadsAboveASizeAreCompressed(t *testing.T) {
	r := envelope.NewRegistry(envelope.Encodings(zstdencoding.New()))
	assert.Empty(t, encodingOf(t, r, strings.Repeat("a", zstdencoding.DefaultMinSize-3)))
	assert.Equal(t, []string{"zstd"}, encodingOf(t, r, strings.Repeat("a", zstdencoding.DefaultMinSize-2)))
	assert.Equal(t, []string{"zstd"}, encodingOf(t, r, strings.Repeat("a", 20*mebibyte)))

	r = envelope.NewRegistry(envelope.Encodings(zstdencoding.New(zstdencoding.MinSize(100))))
	assert.Empty(t, encodingOf(t, r, strings.Repeat("a", 97)))
	assert.Equal(t, []string{"zstd"}, encodingOf(t, r, strings.Repeat("a", 98)))

	r = envelope.NewRegistry(envelope.Encodings(zstdencoding.New(zstdencoding.ReadOnly())))
	assert.Empty(t, encodingOf(t, r, strings.Repeat("a", mebibyte)))
}

func TestOnlyPayloadsThatGetShorterAreCompressed(t *testing.T) {
	noise := make([]byte, mebibyte)
	_, _ = rand.Read(noise)
	r := envelope.NewRegistry(envelope.Encodings(zstdencoding.New(zstdencoding.MinSize(0))))
	assert.Empty(t, encodingOf(t, r, noise))
	assert.Empty(t, encodingOf(t, r, 1))
}

func TestEveryPayloadComesBack(t *testing.T) {
	z := zstdencoding.New()
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		data = bytes.Repeat(data, rapid.IntRange(0, 1000).Draw(t, "times"))
		prefix := []byte("before")
		encoded, err := z.AppendEncode(bytes.Clone(prefix), data)
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(encoded, prefix))
		decoded, err := z.AppendDecode(bytes.Clone(prefix), encoded[len(prefix):], len(data))
		require.NoError(t, err)
		require.Equal(t, append(prefix, data...), decoded)
	})
}

func TestPayloadsOfAllLengthsAreReadWithinTheirLengthAndNotBelow(t *testing.T) {
	z := zstdencoding.New()
	for n := range 5000 {
		encoded, err := z.AppendEncode(nil, bytes.Repeat([]byte("a"), n))
		require.NoError(t, err)
		decoded, err := z.AppendDecode(nil, encoded, n)
		require.NoError(t, err, n)
		require.Len(t, decoded, n)
		if n > 0 {
			_, err = z.AppendDecode(nil, encoded, n-1)
			require.ErrorIs(t, err, envelope.ErrLimit, n)
		}
	}
}

func TestFramesOfOtherWritersAreRead(t *testing.T) {
	z := zstdencoding.New()
	data := bytes.Repeat([]byte("a long text "), 100_000)
	for name, frame := range map[string][]byte{
		"fastest":       compress(t, data, zstd.WithEncoderLevel(zstd.SpeedFastest)),
		"best":          compress(t, data, zstd.WithEncoderLevel(zstd.SpeedBestCompression)),
		"with checksum": compress(t, data, zstd.WithEncoderCRC(true)),
		"two frames":    append(compress(t, data[:mebibyte]), compress(t, data[mebibyte:])...),
		"skipped frame": append([]byte("\x50\x2a\x4d\x18\x02\x00\x00\x00ab"), compress(t, data)...),
	} {
		decoded, err := z.AppendDecode(nil, frame, 8*mebibyte)
		require.NoError(t, err, name)
		assert.True(t, bytes.Equal(data, decoded), name)
	}
}

func TestEveryFlippedByteOfAFrameIsAnErrorOrAnotherPayload(t *testing.T) {
	z := zstdencoding.New()
	frame, err := z.AppendEncode(nil, bytes.Repeat([]byte("a long text "), 200))
	require.NoError(t, err)
	for i := range frame {
		for flip := 1; flip < 256; flip++ {
			flipped := bytes.Clone(frame)
			flipped[i] ^= byte(flip)
			decoded, err := z.AppendDecode(nil, flipped, 4096)
			if err == nil {
				require.LessOrEqual(t, len(decoded), 4096)
			}
		}
	}
}

// bombs unfold to a gibibyte, or say that they do.
func bombs(t *testing.T) map[string][]byte {
	var endless bytes.Buffer
	writer, err := zstd.NewWriter(&endless, zstd.WithEncoderConcurrency(1))
	require.NoError(t, err)
	_, err = io.CopyN(writer, zeros{}, 1<<30)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	pieces := bytes.Repeat(compress(t, make([]byte, mebibyte)), 1024)
	return map[string][]byte{
		"a frame without its size":    endless.Bytes(),
		"many frames":                 pieces,
		"a frame that says its size":  {0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0x00, 0x00, 0x00, 0x40, 0x03, 0x00, 0x00, 0x61},
		"a frame that lies":           {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x01, 0x00, 0x00},
		"a window of two gibibytes":   {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00},
		"a window of three terabytes": {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x01, 0x00, 0x00},
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestBombsStopAtTheLimit(t *testing.T) {
	z := zstdencoding.New()
	for name, bomb := range bombs(t) {
		t.Run(name, func(t *testing.T) {
			_, err := z.AppendDecode(nil, bomb, 8*mebibyte)
			require.ErrorIs(t, err, envelope.ErrLimit)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = z.AppendDecode(nil, bomb, 8*mebibyte)
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, envelope.ErrLimit)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64*mebibyte))
		})
	}
}

func TestBombsInEnvelopesStopAtTheLimit(t *testing.T) {
	r := envelope.NewRegistry(envelope.Encodings(zstdencoding.New()), envelope.WithLimits(envelope.Limits{MaxBytes: 4 * mebibyte}))
	sender := envelope.NewRegistry(envelope.Encodings(zstdencoding.New()))
	text, err := sender.Marshal(t.Context(), strings.Repeat("a", 4*mebibyte))
	require.NoError(t, err)
	require.Less(t, len(text), 10_000)
	_, err = r.UnmarshalAny(t.Context(), text)
	require.ErrorIs(t, err, envelope.ErrLimit)
	require.EqualError(t, err, fmt.Sprintf("string: limit exceeded: MaxBytes is %d, see envelope.WithLimits", 4*mebibyte))
}

// The limit differs with every message where it is what the message has left of a reader's memory.
func TestMemoryDoesNotGrowWithTheNumberOfLimits(t *testing.T) {
	z := zstdencoding.New()
	data := bytes.Repeat([]byte("a long text "), 1000)
	frame, err := z.AppendEncode(nil, data)
	require.NoError(t, err)
	decodeAll := func(from, to int) uint64 {
		for limit := from; limit < to; limit++ {
			decoded, err := z.AppendDecode(nil, frame, limit)
			require.NoError(t, err)
			require.Len(t, decoded, len(data))
		}
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := decodeAll(mebibyte, mebibyte+1)
	assert.Less(t, decodeAll(mebibyte+1, mebibyte+3000), before+mebibyte)
	runtime.KeepAlive(z)
}

func TestALimitHoldsAfterAnother(t *testing.T) {
	z := zstdencoding.New()
	frame, err := z.AppendEncode(nil, make([]byte, 5000))
	require.NoError(t, err)
	for _, limit := range []int{5000, 4999, 0, 10_000, 1024, 5000, -1} {
		_, err := z.AppendDecode(nil, frame, limit)
		if limit < 5000 {
			require.ErrorIs(t, err, envelope.ErrLimit, limit)
		} else {
			require.NoError(t, err, limit)
		}
	}
}

func BenchmarkAppendDecode(b *testing.B) {
	z := zstdencoding.New()
	for _, repeats := range []int{100, 10_000} {
		frame, err := z.AppendEncode(nil, bytes.Repeat([]byte("a long text "), repeats))
		require.NoError(b, err)
		b.Run(fmt.Sprintf("%d", 12*repeats), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				buf := make([]byte, 0, 13*repeats)
				for pb.Next() {
					if _, err := z.AppendDecode(buf, frame, mebibyte); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func TestOneEncodingServesManyGoroutines(t *testing.T) {
	z := zstdencoding.New(zstdencoding.MinSize(0))
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 50 {
				data := bytes.Repeat([]byte{byte(worker), byte(i)}, 1000*i)
				encoded, err := z.AppendEncode(nil, data)
				assert.NoError(t, err)
				decoded, err := z.AppendDecode(nil, encoded, mebibyte+worker)
				assert.NoError(t, err)
				assert.True(t, bytes.Equal(data, decoded))
			}
		})
	}
	group.Wait()
}

func FuzzAppendDecode(f *testing.F) {
	f.Add(compress(f, []byte("a text")))
	f.Add(compress(f, bytes.Repeat([]byte("a long text "), 1000), zstd.WithEncoderCRC(true)))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0x00, 0x00, 0x00, 0x40, 0x03, 0x00, 0x00, 0x61})
	z := zstdencoding.New()
	f.Fuzz(func(t *testing.T, data []byte) {
		decoded, err := z.AppendDecode([]byte("before"), data, mebibyte)
		if err != nil {
			return
		}
		require.True(t, bytes.HasPrefix(decoded, []byte("before")))
		require.LessOrEqual(t, len(decoded), mebibyte+len("before"))
	})
}
