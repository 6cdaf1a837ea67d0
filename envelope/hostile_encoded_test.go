package envelope_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/zstdencoding"
)

func hostileRegistry(t *testing.T) *envelope.Registry {
	t.Helper()
	return newShop(t, envelope.Encodings(zstdencoding.New(), xorEncoding{"x"}), envelope.EncryptMarked(testAEAD{}),
		envelope.WithStore(memoryStore{}, 1<<20))
}

func compressed(t *testing.T, typeName string, payload []byte) string {
	t.Helper()
	frame, err := zstdencoding.New().AppendEncode(nil, payload)
	require.NoError(t, err)
	return encodedEnvelope(typeName, `"zstd","x"`, xorBytes(frame, 'x'))
}

// What is small in the queue and large here meets the same limits as what is large in the queue.
func TestBombsAreRefused(t *testing.T) {
	r := hostileRegistry(t)
	const many = 8 << 20
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"decompression": {compressed(t, "string", []byte(`"`+strings.Repeat("a", 64<<20)+`"`)), envelope.ErrLimit},
		"depth":         {compressed(t, "any", bytes.Repeat([]byte("["), many)), envelope.ErrLimit},
		"nested envelopes": {
			compressed(t, "any", bytes.Repeat([]byte(`{"$envelope":1,"type":"any","data":`), many/40)), envelope.ErrLimit,
		},
		"digits": {compressed(t, "big.Int", bytes.Repeat([]byte("9"), 1<<20)), envelope.ErrLimit},
		"keys": {
			compressed(t, "map[string]int", []byte("{"+strings.Repeat(`"a":1,`, 1<<20)+`"a":1}`)), envelope.ErrMalformed,
		},
		"elements": {compressed(t, "[]any", []byte("["+strings.Repeat("0,", 5<<20)+"0]")), envelope.ErrLimit},
		"a type expression": {
			compressed(t, "[]any", []byte(`[{"$envelope":1,"type":"`+strings.Repeat("*", 1<<20)+`int","data":1}]`)), envelope.ErrLimit,
		},
		"many types": {
			compressed(t, "[]any", []byte(listed("[", "]", 5000, numbered(`{"$envelope":1,"type":"[`, `]bool","data":null}`)))),
			envelope.ErrTypeMismatch,
		},
		"a million encodings": {
			encodedEnvelope("int", listed("", "", 1_000_000, numbered(`"e`, `"`)), nil), envelope.ErrMalformed,
		},
		"one encoding a million times": {
			encodedEnvelope("int", listed("", "", 1_000_000, always(`"zstd"`)), nil), envelope.ErrMalformed,
		},
		"encodings in encodings":   {`{"$envelope":1,"type":"int","encoding":` + nested("[", "", "]", 1_000_000), envelope.ErrMalformed},
		"the name of an encoding":  {encodedEnvelope("int", `"`+strings.Repeat("a", many)+`"`, nil), envelope.ErrMalformed},
		"an escaped name":          {encodedEnvelope("int", `"`+strings.Repeat(`\u0061`, many/6)+`"`, nil), envelope.ErrMalformed},
		"a ref":                    {referring("int", strings.Repeat("a", many)), envelope.ErrMalformed},
		"a ref with the right end": {referring("int", emptyRef+strings.Repeat("0", many)), envelope.ErrMalformed},
		"no base64":                {`{"$envelope":1,"type":"int","encoding":["x"],"data":"` + strings.Repeat("!", many) + `"}`, envelope.ErrMalformed},
		"base64 without an end":    {`{"$envelope":1,"type":"int","encoding":["x"],"data":"` + strings.Repeat("A", many), envelope.ErrMalformed},
		"escaped base64":           {`{"$envelope":1,"type":"int","encoding":["x"],"data":"` + strings.Repeat(`\n`, many/2) + `"}`, envelope.ErrMalformed},
		"no frame":                 {encodedEnvelope("int", `"zstd","x"`, make([]byte, many)), envelope.ErrMalformed},
		"no ciphertext":            {encodedEnvelope("int", `"x","aead"`, make([]byte, many)), envelope.ErrUndecryptable},
		"too long":                 {strings.Repeat(" ", 64<<20), envelope.ErrLimit},
	} {
		t.Run(name, func(t *testing.T) {
			used := allocated(func() {
				value, err := r.UnmarshalAny(t.Context(), c.text)
				require.ErrorIs(t, err, c.want)
				require.Nil(t, value)
				assert.Less(t, len(err.Error()), 10_000)
				_, err = r.Inspect(t.Context(), c.text)
				require.LessOrEqual(t, len(errorText(err)), 10_000)
			})
			assert.Less(t, used, 512<<20) // the race detector takes the half of it
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRefusingEncodedEnvelopesTakesMemoryInProportionToTheInput(t *testing.T) {
	r := hostileRegistry(t)
	for name, text := range map[string]string{
		"encodings": encodedEnvelope("int", listed("", "", 100_000, numbered(`"e`, `"`)), nil),
		"ref":       referring("int", strings.Repeat("a", 1<<20)),
		"base64":    `{"$envelope":1,"type":"int","encoding":["x"],"data":"` + strings.Repeat("!", 1<<20) + `"}`,
		"unknown":   encodedEnvelope("int", `"lz4"`, make([]byte, 1<<20)),
		"misfit":    encodedEnvelope("shop.Unknown", `"x"`, make([]byte, 1<<20)),
	} {
		used := testing.AllocsPerRun(1, func() { _, _ = r.UnmarshalAny(t.Context(), text) })
		assert.Less(t, used, 100.0, name)
	}
}

// Other spellings of the same bytes are refused, so that there is one text for one payload.
func TestPayloadsHaveOneSpelling(t *testing.T) {
	r := newShop(t, envelope.Encodings(xorEncoding{"x"}))
	payload := base64.StdEncoding.EncodeToString(xorBytes([]byte("12345"), 'x'))
	require.True(t, strings.HasSuffix(payload, "="))
	for _, spelled := range []string{
		strings.TrimRight(payload, "="), payload + "=", payload[:4] + `\n` + payload[4:], payload[:4] + "\n" + payload[4:],
		payload[:4] + " " + payload[4:], payload[:len(payload)-2] + "5=",
	} {
		_, err := r.UnmarshalAny(t.Context(), `{"$envelope":1,"type":"int","encoding":["x"],"data":"`+spelled+`"}`)
		require.ErrorIs(t, err, envelope.ErrMalformed, spelled)
	}
}
