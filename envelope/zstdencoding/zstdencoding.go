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

// minWindow is the window, in bytes, that frames of the shortest payloads ask for.
const minWindow = 2048

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
	decoders sync.Pool // of *decoder
}

// A decoder decodes one payload at a time, of at most limit bytes.
type decoder struct {
	*zstd.Decoder
	limit int
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

// AppendDecode also refuses, with ErrLimit, frames that ask for a window of more than limit bytes and more than 2 KiB.
func (z *zstdEncoding) AppendDecode(dst, data []byte, limit int) ([]byte, error) {
	d, err := z.decoder(max(limit, minWindow))
	if err != nil {
		return dst, err
	}
	defer z.decoders.Put(d)
	// What is in dst already would count against the limit.
	decoded, err := d.DecodeAll(data, dst[len(dst):])
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return dst, envelope.ErrLimit
	}
	if len(decoded) > limit {
		return dst, envelope.ErrLimit
	}
	if err != nil || len(dst) > 0 {
		return append(dst, decoded...), err
	}
	return decoded, nil
}

// decoder returns one that nobody else uses, set to the limit. The limit may differ with every payload: it is what the
// message before it left of the reader's memory.
func (z *zstdEncoding) decoder(limit int) (*decoder, error) {
	memory := zstd.WithDecoderMaxMemory(uint64(limit))
	d, ok := z.decoders.Get().(*decoder)
	if !ok {
		made, err := zstd.NewReader(nil, memory, zstd.WithDecoderConcurrency(1))
		return &decoder{Decoder: made, limit: limit}, err
	}
	if d.limit == limit {
		return d, nil
	}
	d.limit = limit
	return d, d.ResetWithOptions(nil, memory)
}
