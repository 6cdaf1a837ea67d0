// Package zstdencoding makes the payloads of envelopes smaller, with Zstandard (RFC 8878).
//
//	registry := envelope.NewRegistry(envelope.Encodings(zstdencoding.New()))
//
// Short payloads, and those that would not get shorter, are left as they are. Other languages read and write the same
// with their zstd library: a payload is a frame without a dictionary.
package zstdencoding

import (
	"errors"
	"math"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// Name is what the encoding is called in the header of envelopes.
const Name = "zstd"

// DefaultMinSize is the shortest payload, in bytes, that is compressed: below, base64 takes most of the gain.
const DefaultMinSize = 1024

// An Option changes how payloads are compressed.
type Option func(*settings)

type settings struct{ minSize int }

// MinSize sets the shortest payload, in bytes, that is compressed; [DefaultMinSize] without it.
func MinSize(n int) Option { return func(s *settings) { s.minSize = n } }

// ReadOnly compresses nothing: for readers that have to know the encoding before senders use it.
func ReadOnly() Option { return MinSize(math.MaxInt) }

// A zstdEncoding keeps the tables of its encoder and decoders from one payload to the next. It starts no goroutines.
type zstdEncoding struct {
	settings settings
	encoder  *zstd.Encoder
	decoders sync.Map // limit in bytes → *zstd.Decoder
}

// New returns the encoding, for [envelope.Encodings] and [envelope.EncodedBy]. It is safe for concurrent use.
func New(opts ...Option) envelope.Compression {
	z := &zstdEncoding{settings: settings{minSize: DefaultMinSize}}
	for _, opt := range opts {
		opt(&z.settings)
	}
	// Encoders without a stream cannot fail on options that are in range.
	z.encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true))
	return z
}

func (*zstdEncoding) Name() string { return Name }

func (z *zstdEncoding) IsWorthwhile(size int) bool { return size >= z.settings.minSize }

func (z *zstdEncoding) AppendEncode(dst, data []byte) ([]byte, error) {
	return z.encoder.EncodeAll(data, dst), nil
}

// AppendDecode also refuses, with ErrLimit, frames that ask for a window of more than limit bytes.
func (z *zstdEncoding) AppendDecode(dst, data []byte, limit int) ([]byte, error) {
	decoder, err := z.decoder(limit)
	if err != nil {
		return dst, err
	}
	// What is in dst already would count against the limit.
	decoded, err := decoder.DecodeAll(data, dst[len(dst):])
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return dst, envelope.ErrLimit
	}
	if err != nil || len(dst) > 0 {
		return append(dst, decoded...), err
	}
	return decoded, nil
}

// decoder returns the one for a limit: there are as many as registries have different ones.
func (z *zstdEncoding) decoder(limit int) (*zstd.Decoder, error) {
	if known, ok := z.decoders.Load(limit); ok {
		return known.(*zstd.Decoder), nil
	}
	made, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(max(limit, 1))), zstd.WithDecoderConcurrency(0))
	if err != nil {
		return nil, err
	}
	known, _ := z.decoders.LoadOrStore(limit, made)
	return known.(*zstd.Decoder), nil
}
