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
		decoded, err := z.AppendDecode(bytes.Clone(prefix), encoded[len(prefix):], max(len(data), 1024))
		require.NoError(t, err)
		require.Equal(t, append(prefix, data...), decoded)
	})
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
	r := envelope.NewRegistry(envelope.Encodings(zstdencoding.New()), envelope.MaxBytes(4*mebibyte))
	sender := envelope.NewRegistry(envelope.Encodings(zstdencoding.New()))
	text, err := sender.Marshal(t.Context(), strings.Repeat("a", 4*mebibyte))
	require.NoError(t, err)
	require.Less(t, len(text), 10_000)
	_, err = r.UnmarshalAny(t.Context(), text)
	require.ErrorIs(t, err, envelope.ErrLimit)
	require.EqualError(t, err, fmt.Sprintf("string: limit exceeded: MaxBytes(%d)", 4*mebibyte))
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
