package envelope_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// xorEncoding is one that may not be left out.
type xorEncoding struct{ name string }

func (x xorEncoding) Name() string { return x.name }

func (x xorEncoding) AppendEncode(dst, data []byte) ([]byte, error) {
	for _, c := range data {
		dst = append(dst, c^x.name[0])
	}
	return dst, nil
}

func (x xorEncoding) AppendDecode(dst, data []byte, _ int) ([]byte, error) {
	return x.AppendEncode(dst, data)
}

// flateCompression shows that a compression of one's own takes few lines.
type flateCompression struct{ minSize int }

func (flateCompression) Name() string                 { return "deflate" }
func (f flateCompression) IsWorthwhile(size int) bool { return size >= f.minSize }

func (flateCompression) AppendEncode(dst, data []byte) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	writer, err := flate.NewWriter(buf, flate.BestSpeed)
	if err != nil {
		return dst, err
	}
	_, err = writer.Write(data)
	err = errors.Join(err, writer.Close())
	return buf.Bytes(), err
}

func (flateCompression) AppendDecode(dst, data []byte, limit int) ([]byte, error) {
	decoded, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), int64(limit)+1))
	if len(decoded) > limit {
		err = envelope.ErrLimit
	}
	return append(dst, decoded...), err
}

var repetitive = strings.Repeat("the same and ", 100)

// digitsOfPi get shorter by compression, but not by so much as base64 makes them longer again.
const digitsOfPi = "3141592653589793238462643383279502884197169399375105820974944592307816406286208998628034825342117067"

// requireEncodings sends v, checks which encodings were applied, and that it arrives.
func requireEncodings(t *testing.T, r *envelope.Registry, v any, want ...string) string {
	t.Helper()
	text := marshal(t, r, v)
	parsed, err := envelope.Parse(text)
	require.NoError(t, err)
	assert.Equal(t, want, parsed.Encoding)
	arrived, err := r.UnmarshalAny(t.Context(), text)
	require.NoError(t, err)
	assert.Equal(t, v, arrived)
	return text
}

func TestEncodingsAreAppliedInOrder(t *testing.T) {
	r := newShop(t, envelope.Encodings(xorEncoding{"x"}, flateCompression{}, xorEncoding{"y"}))
	text := requireEncodings(t, r, repetitive, "x", "deflate", "y")
	assert.True(t, strings.HasPrefix(text, `{"$envelope":1,"type":"string","encoding":["x","deflate","y"],"data":"`))

	parsed, err := envelope.Parse(text)
	require.NoError(t, err)
	inner, err := flateCompression{}.AppendDecode(nil, xorBytes(parsed.Data(), 'y'), 1<<20)
	require.NoError(t, err)
	assert.Equal(t, `"`+repetitive+`"`, string(xorBytes(inner, 'x')))
}

func xorBytes(data []byte, c byte) []byte {
	out := bytes.Clone(data)
	for i := range out {
		out[i] ^= c
	}
	return out
}

func TestCompressionIsLeftOutWhereItDoesNotHelp(t *testing.T) {
	r := newShop(t, envelope.Encodings(flateCompression{minSize: 100}))
	requireEncodings(t, r, repetitive[:50])
	requireEncodings(t, r, repetitive[:200], "deflate")
	requireEncodings(t, r, "Zq3fJ7sXc1mVbN8kLpOiUyTrEwQaSdFgHjK0l9z6x5c4v2b7n1m3QwErTyUiOpAsDfGhJkLzXcVbNm1029384756qpwoeirutyla")
	plain := marshal(t, newShop(t), repetitive[:50])
	assert.Equal(t, plain, marshal(t, r, repetitive[:50]), "what is left as it is needs no base64")
}

func TestCompressionCountsBase64WhereItAddsThat(t *testing.T) {
	compressed, err := flateCompression{}.AppendEncode(nil, []byte(`"`+digitsOfPi+`"`))
	require.NoError(t, err)
	require.Less(t, len(compressed), len(digitsOfPi))
	requireEncodings(t, newShop(t, envelope.Encodings(flateCompression{})), digitsOfPi)
	requireEncodings(t, newShop(t, envelope.Encodings(flateCompression{}), envelope.EncryptAll(testAEAD{})), digitsOfPi, "deflate", "aead")
}

func TestTypesHaveEncodingsOfTheirOwn(t *testing.T) {
	r := newShop(t, envelope.Encodings(xorEncoding{"x"}))
	require.NoError(t, envelope.Register[Base](r, "library.Base", envelope.EncodedBy(xorEncoding{"z"}, xorEncoding{"y"})))
	require.NoError(t, envelope.Register[Box](r, "library.Box", envelope.EncodedBy()))
	for _, v := range []any{Base{}, &Base{}, []Base{{}}, [1]Base{}, map[string]*Base{"a": {}}} {
		requireEncodings(t, r, v, "z", "y")
	}
	requireEncodings(t, r, Box{Side: 1})
	requireEncodings(t, r, 1, "x")
	requireEncodings(t, r, []any{Base{}, Box{}}, "x")
}

func TestEncodingsHaveToBeThoseConfigured(t *testing.T) {
	x, y, compression := xorEncoding{"x"}, xorEncoding{"y"}, flateCompression{}
	receiver := newShop(t, envelope.Encodings(x, compression, y))
	for _, stack := range [][]envelope.Encoding{
		{}, {x}, {y}, {y, x}, {x, y, compression}, {compression, x, y}, {x, compression}, {compression, y}, {compression},
	} {
		text := marshal(t, newShop(t, envelope.Encodings(stack...)), repetitive)
		_, err := receiver.UnmarshalAny(t.Context(), text)
		require.ErrorIs(t, err, envelope.ErrUnsupported)
		require.ErrorContains(t, err, "which are not those configured for it here: pass envelope.Encodings")
		_, err = readInto[string](receiver, text)
		require.ErrorIs(t, err, envelope.ErrUnsupported)
	}
	for _, stack := range [][]envelope.Encoding{{x, compression, y}, {x, y}} {
		read, err := readInto[string](receiver, marshal(t, newShop(t, envelope.Encodings(stack...)), repetitive))
		require.NoError(t, err)
		assert.Equal(t, repetitive, read)
	}
	_, err := readInto[string](newShop(t), marshal(t, receiver, repetitive))
	require.ErrorIs(t, err, envelope.ErrUnsupported)
}

func TestCodecHasToBeThatConfiguredWhereThereAreEncodings(t *testing.T) {
	before := newShop(t, envelope.Encodings(flateCompression{}))
	require.NoError(t, envelope.Register[measurement](before, "lab.Measurement"))
	now := newShop(t, envelope.Encodings(flateCompression{}))
	require.NoError(t, envelope.Register[measurement](now, "lab.Measurement", envelope.UseCodec(gobCodec{})))

	sent := measurement{Unit: repetitive}
	for _, v := range []any{sent, &sent, measurement{}, []any{sent}} {
		_, err := now.UnmarshalAny(t.Context(), marshal(t, before, v))
		require.ErrorIs(t, err, envelope.ErrUnsupported)
		require.ErrorContains(t, err, "lab.Measurement has to be written in gob here")
		_, err = before.UnmarshalAny(t.Context(), marshal(t, now, v))
		require.ErrorIs(t, err, envelope.ErrUnsupported)
	}
	assert.Equal(t, any([]measurement{sent}), roundTripAny(t, now, []measurement{sent}))
}

func TestBytesOfCodecsAreEncodedAsTheyAre(t *testing.T) {
	r := newShop(t, envelope.Encodings(xorEncoding{"x"}))
	require.NoError(t, envelope.Register[measurement](r, "lab.Measurement", envelope.UseCodec(gobCodec{})))
	sent := measurement{Unit: "m"}
	text := requireEncodings(t, r, sent, "x")
	parsed, err := envelope.Parse(text)
	require.NoError(t, err)
	assert.Equal(t, "gob", parsed.Codec)
	var read measurement
	require.NoError(t, gobCodec{}.Unmarshal(xorBytes(parsed.Data(), 'x'), &read))
	assert.Equal(t, sent, read)

	requireEncodings(t, r, &sent, "x")
	text = requireEncodings(t, r, (*measurement)(nil), "x")
	assert.NotContains(t, text, "codec", "nil has no bytes of a codec")
	requireEncodings(t, r, []any{sent, &sent, (*measurement)(nil)}, "x")
	_, err = readInto[measurement](r, text)
	require.ErrorIs(t, err, envelope.ErrTypeMismatch)
}

func TestEncodingsNeedNamesOfTheirOwn(t *testing.T) {
	for name, encodings := range map[string][]envelope.Encoding{
		"an encoding is nil":                      {nil},
		`"a b" cannot be the name of an encoding`: {xorEncoding{"a b"}},
		`"" cannot be the name of an encoding`:    {xorEncoding{}},
		"the encoding name aead is taken":         {xorEncoding{"aead"}},
		"the encoding name x is taken":            {xorEncoding{"x"}, flateCompression{}, xorEncoding{"x"}},
		"more than 15 encodings":                  manyEncodings(16),
	} {
		requireInvalid(t, registers[shopLine](envelope.EncodedBy(encodings...)), "EncodedBy: "+name)

		r := envelope.NewRegistry(envelope.Encodings(encodings...), envelope.WithLimits(envelope.Limits{MaxBytes: 100}))
		err := envelope.Register[shopLine](r, "shop.Line")
		require.ErrorIs(t, err, envelope.ErrRegistration)
		require.ErrorContains(t, err, "Encodings: "+name)
		require.EqualError(t, r.Err(), "Encodings: "+name)
		require.ErrorIs(t, r.Check(), envelope.ErrRegistration)
		require.NotNil(t, r.Schema())
		_, err = r.Marshal(t.Context(), 1)
		require.ErrorIs(t, err, envelope.ErrRegistration)
		_, err = r.UnmarshalAny(t.Context(), opened("int", "1"))
		require.ErrorIs(t, err, envelope.ErrRegistration)
	}
	requireEncodings(t, newShop(t, envelope.Encodings(manyEncodings(15)...), envelope.EncryptAll(testAEAD{})), 1,
		"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "aead")
}

func manyEncodings(n int) (encodings []envelope.Encoding) {
	for i := range n {
		encodings = append(encodings, xorEncoding{string(rune('a' + i))})
	}
	return encodings
}

type brokenEncoding struct{ xorEncoding }

func (brokenEncoding) AppendEncode(dst, _ []byte) ([]byte, error)        { return dst, errCodec }
func (brokenEncoding) AppendDecode(dst, _ []byte, _ int) ([]byte, error) { return dst, errCodec }

func TestErrorsOfEncodingsAreWrapped(t *testing.T) {
	r := newShop(t, envelope.Encodings(brokenEncoding{xorEncoding{"x"}}))
	_, err := r.Marshal(t.Context(), "text")
	require.ErrorIs(t, err, envelope.ErrUnsupported)
	require.ErrorIs(t, err, errCodec)
	require.EqualError(t, err, "string: encoding x cannot write the payload")
	_, err = r.UnmarshalAny(t.Context(), `{"$envelope":1,"type":"string","encoding":["x"],"data":""}`)
	require.ErrorIs(t, err, envelope.ErrMalformed)
	require.ErrorIs(t, err, errCodec)
	require.EqualError(t, err, "string: encoding x cannot read the payload")
}

func TestPathsLeadIntoEncodedPayloads(t *testing.T) {
	r := newShop(t, envelope.Encodings(xorEncoding{"x"}))
	text := marshal(t, newShop(t), map[string]any{"Lines": []any{map[string]any{"Qty": "many"}}})
	parsed, err := envelope.Parse(text)
	require.NoError(t, err)
	requireUnreadable[shopOrder](t, r, sealedBy(t, "shop.Order", parsed.Data(), xorEncoding{"x"}), envelope.ErrTypeMismatch,
		"shop.Order.Lines[0].Qty: expected a number, found a string")
}

// sealedBy writes an envelope with encoded data that no sender would write.
func sealedBy(t *testing.T, typeName string, data []byte, encoding envelope.Encoding) string {
	t.Helper()
	encoded, err := encoding.AppendEncode(nil, data)
	require.NoError(t, err)
	return encodedEnvelope(typeName, `"`+encoding.Name()+`"`, encoded)
}
