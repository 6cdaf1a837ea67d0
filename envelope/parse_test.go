package envelope_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// emptyRef refers to no bytes at all.
const emptyRef = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestIsLooksAtThePrefixOnly(t *testing.T) {
	t.Parallel()
	assert.True(t, envelope.Is(`{"$envelope":1,"type":"int","data":1}`))
	assert.True(t, envelope.Is(`{"$envelope":nonsense`))
	assert.False(t, envelope.Is(` {"$envelope":1}`))
	assert.False(t, envelope.Is(`{"envelope":1}`))
	assert.False(t, envelope.Is(""))
}

func TestParseTakesEnvelopesApart(t *testing.T) {
	t.Parallel()
	type parts struct {
		Format   int
		Type     string
		Version  int
		Codec    string
		Encoding []string
		Data     []byte
		Ref      string
	}
	for text, want := range map[string]parts{
		`{"$envelope":1,"type":"shop.Order","data":{"a":[1, "x"]}}`: {
			Format: 1, Type: "shop.Order", Version: 1, Codec: "json", Data: []byte(`{"a":[1, "x"]}`),
		},
		`{"$envelope":1,"type":"[]shop.Order","version":2,"codec":"cbor","encoding":["zstd","aead"],"data":"AQI="}`: {
			Format: 1, Type: "[]shop.Order", Version: 2, Codec: "cbor", Encoding: []string{"zstd", "aead"}, Data: []byte{1, 2},
		},
		`{"$envelope":1,"type":"*x","codec":"cbor","data":null}`: {Format: 1, Type: "*x", Version: 1, Codec: "cbor"},
		`{"$envelope":1,"type":"x","encoding":["zstd"],"ref":"` + emptyRef + `"}`: {
			Format: 1, Type: "x", Version: 1, Codec: "json", Encoding: []string{"zstd"}, Ref: emptyRef,
		},
		`{"$envelope":1,"future":{"a":[]},"version":1,"codec":"json","encoding":[],"type":"any","data":null}`: {
			Format: 1, Type: "any", Version: 1, Codec: "json", Data: []byte("null"),
		},
	} {
		parsed, err := envelope.Parse(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, parts{
			parsed.Format, parsed.Type, parsed.Version, parsed.Codec, parsed.Encoding, parsed.Data(), parsed.Ref,
		})
	}
}

func TestParseRefusesWhatIsNoEnvelope(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                   "not an envelope",
		"hello":                              "not an envelope",
		"{}":                                 "not an envelope",
		`[1]`:                                "not an envelope",
		`{"type":"int"}`:                     "not an envelope",
		`{"$Envelope":1}`:                    "not an envelope",
		`{"$envelope":"1"}`:                  "$envelope is not a number",
		`{"$envelope":1.0}`:                  "$envelope is not a format version",
		`{"$envelope":0}`:                    "$envelope is not a format version",
		`{"$envelope":-1}`:                   "$envelope is not a format version",
		`{"$envelope":1}`:                    "envelope has no data",
		`{"$envelope":1,"x":1`:               "expected a comma or the end of the envelope",
		`{"$envelope":1,"type":"int"}`:       "envelope has no data",
		`{"$envelope":1,"data":1}`:           "envelope has no type",
		`{"$envelope":1,"type":"","data":1}`: "envelope has no type",
		`{"$envelope":1,"type":1,"data":1}`:  "envelope has an invalid type",
		`{"$envelope":1,"type":"int","type":"int","data":1}`:                     "envelope has type twice",
		`{"$envelope":1,"$envelope":1,"type":"int","data":1}`:                    "envelope has $envelope twice",
		`{"$envelope":1,"x":1,"x":1,"type":"int","data":1}`:                      "duplicate name",
		`{"$envelope":1,"type":"int","version":0,"data":1}`:                      "envelope has an invalid version",
		`{"$envelope":1,"type":"int","version":1.5,"data":1}`:                    "envelope has an invalid version",
		`{"$envelope":1,"type":"int","version":99999999999,"data":1}`:            "envelope has an invalid version",
		`{"$envelope":1,"type":"int","codec":null,"data":1}`:                     "envelope has an invalid codec",
		`{"$envelope":1,"type":"int","encoding":"zstd","data":1}`:                "envelope has an invalid encoding",
		`{"$envelope":1,"type":"int","encoding":["zstd"],"data":1}`:              "expected a string, found a number",
		`{"$envelope":1,"type":"int","codec":"cbor","data":"*"}`:                 "invalid base64",
		`{"$envelope":1,"type":"int","data":1,"version":2}`:                      "envelope goes on after its data",
		`{"$envelope":1,"type":"int","data":1,"ref":"x"}`:                        "envelope goes on after its data",
		`{"$envelope":1,"type":"int","ref":"` + emptyRef + `","data":1}`:         "envelope goes on after its data",
		`{"$envelope":1,"type":"int","ref":"x"}`:                                 "envelope has an invalid ref",
		`{"$envelope":1,"type":"int","ref":"` + emptyRef + `0"}`:                 "envelope has an invalid ref",
		`{"$envelope":1,"type":"int","ref":"` + strings.ToUpper(emptyRef) + `"}`: "envelope has an invalid ref",
		`{"$envelope":1,"type":"int","encoding":["zstd","zstd"],"data":""}`:      "envelope has an invalid encoding",
		`{"$envelope":1,"type":"int","encoding":["z std"],"data":""}`:            "envelope has an invalid encoding",
		`{"$envelope":1,"type":"int","encoding":[""],"data":""}`:                 "envelope has an invalid encoding",
		`{"$envelope":1,"type":"int","encoding":[1],"data":""}`:                  "envelope has an invalid encoding",
		`{"$envelope":1,"type":"int","data":1]`:                                  "expected the end of the envelope",
		`{"$envelope":1,"type":"int","data":1`:                                   "expected the end of the envelope",
		`{"$envelope":1,"type":"int","data":1}{}`:                                "text after the envelope",
		`{"$envelope":1,"type":"int","data":}`:                                   "unexpected character",
		`{"$envelope":1,"type":"1","data":1}`:                                    "envelope has a malformed type expression",
		`{"$envelope":1,"type":"[]","data":1}`:                                   "envelope has a malformed type expression",
		`{"$envelope":1,"type":"[-1]int","data":1}`:                              "envelope has a malformed type expression",
		`{"$envelope":1,"type":"[01]int","data":1}`:                              "envelope has a malformed type expression",
		`{"$envelope":1,"type":"[99999999999999999999]int","data":1}`:            "envelope has a malformed type expression",
		`{"$envelope":1,"type":"[4int","data":1}`:                                "envelope has a malformed type expression",
		`{"$envelope":1,"type":"map[]int","data":1}`:                             "envelope has a malformed type expression",
		`{"$envelope":1,"type":"map[int","data":1}`:                              "envelope has a malformed type expression",
		`{"$envelope":1,"type":"int ","data":1}`:                                 "envelope has a malformed type expression",
		`{"$envelope":1,"type":"` + strings.Repeat("a", 129) + `","data":1}`:     "envelope has a malformed type expression",
	} {
		_, err := envelope.Parse(text)
		require.Error(t, err, text)
		require.NotErrorIs(t, err, envelope.ErrLimit, text)
		require.EqualError(t, err, want, text)
	}
}

func TestHigherFormatsAreRefusedByName(t *testing.T) {
	t.Parallel()
	text := `{"$envelope":2,"type":"int","data":1}`
	_, err := envelope.Parse(text)
	require.ErrorIs(t, err, envelope.ErrUnknownVersion)
	require.ErrorContains(t, err, "$envelope is a higher version than 1")
	_, err = newShop(t).UnmarshalAny(t.Context(), text)
	require.ErrorIs(t, err, envelope.ErrUnknownVersion)
}

func TestDataMayBeReadAfterUnknownHeaderKeys(t *testing.T) {
	t.Parallel()
	r := newShop(t)
	text := `{"$envelope":1,"trace":{"id":"x"},"type":"shop.Box","data":{"Kilos":1}}`
	assert.Equal(t, shopBox{1}, receives[shopBox](t, r, text))
	assert.Equal(t, []any{shopBox{1}}, receives[any](t, r, opened("[]any", "["+text+"]")))
}
