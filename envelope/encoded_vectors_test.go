package envelope_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/zstdencoding"
)

// An encodedVector is an example of an envelope whose payload is encoded or kept elsewhere.
type encodedVector struct {
	vector
	// Payload is what the codec made of the value.
	Payload string `json:"payload"`
	// AssociatedData is what the ciphertext is bound to, in hexadecimal.
	AssociatedData string `json:"associatedData"`
	// Stored is what is kept under the reference, in base64.
	Stored string `json:"stored"`
}

func readEncodedVectors(t require.TestingT, file string) []encodedVector {
	text, err := os.ReadFile(filepath.Join("testdata", "vectors", file))
	require.NoError(t, err)
	var vectors []encodedVector
	require.NoError(t, json.Unmarshal(text, &vectors))
	require.NotEmpty(t, vectors)
	return vectors
}

// recordingAEAD notes what it is used with.
type recordingAEAD struct {
	testAEAD
	plaintext      []byte
	associatedData []byte
}

func (r *recordingAEAD) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	r.associatedData = slices.Clone(associatedData)
	plaintext, err := r.testAEAD.Decrypt(ciphertext, associatedData)
	r.plaintext = plaintext
	return plaintext, err
}

// storeOf has what a vector says.
func storeOf(t *testing.T, v encodedVector) memoryStore {
	store := memoryStore{}
	stored, err := base64.StdEncoding.DecodeString(v.Stored)
	require.NoError(t, err)
	_, err = store.Put(t.Context(), stored)
	require.NoError(t, err)
	return store
}

func TestEncodedVectorsAreRead(t *testing.T) {
	for _, v := range readEncodedVectors(t, "encoded.json") {
		t.Run(v.About, func(t *testing.T) {
			recorded := &recordingAEAD{}
			r := vectorRegistry(t, envelope.Encodings(zstdencoding.New()), envelope.EncryptMarked(recorded), envelope.WithStore(storeOf(t, v), 0))
			want := valueOf(t, v.vector)
			target := reflect.New(dynamicType(want))
			require.NoError(t, r.Unmarshal(t.Context(), v.Envelope, target.Interface()))
			requireSame(t, want, target.Elem().Interface())

			parsed, err := envelope.Parse(v.Envelope)
			require.NoError(t, err)
			assert.Equal(t, v.AssociatedData, hex.EncodeToString(recorded.associatedData))
			if slices.Equal(parsed.Encoding, []string{"aead"}) {
				assert.Equal(t, v.Payload, string(recorded.plaintext))
			}
		})
	}
}

// Compressed bytes may differ from one version of the compressor to the next; all others are written as in the vectors.
func TestEncodedVectorsAreWritten(t *testing.T) {
	for _, v := range readEncodedVectors(t, "encoded.json") {
		parsed, err := envelope.Parse(v.Envelope)
		require.NoError(t, err)
		if slices.Contains(parsed.Encoding, "zstd") {
			continue
		}
		var opts []envelope.Option
		if len(parsed.Encoding) > 0 {
			opts = append(opts, envelope.EncryptAll(testAEAD{}))
		}
		store := memoryStore{}
		if parsed.Ref != "" {
			opts = append(opts, envelope.WithStore(store, 0))
		}
		t.Run(v.About, func(t *testing.T) {
			text, err := vectorRegistry(t, opts...).Marshal(t.Context(), valueOf(t, v.vector))
			require.NoError(t, err)
			assert.Equal(t, v.Envelope, text)
			assert.Equal(t, v.Stored, base64.StdEncoding.EncodeToString(store[parsed.Ref]))
		})
	}
}

func TestEncodedVectorsAreRefused(t *testing.T) {
	for _, v := range readEncodedVectors(t, "encoded_refused.json") {
		t.Run(v.About, func(t *testing.T) {
			r := vectorRegistry(t, envelope.Encodings(zstdencoding.New()), envelope.EncryptAll(testAEAD{}), envelope.WithStore(storeOf(t, v), 0))
			goType, ok := vectorReceivers[v.Into]
			require.True(t, ok, "no receiver for %s", v.Into)
			want, ok := sentinels[v.Error]
			require.True(t, ok, "no error for %s", v.Error)
			require.ErrorIs(t, r.Unmarshal(t.Context(), v.Envelope, reflect.New(goType).Interface()), want)
		})
	}
}
