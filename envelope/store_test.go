package envelope_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// memoryStore keeps payloads in a map.
type memoryStore map[string][]byte

func (m memoryStore) Put(_ context.Context, data []byte) (string, error) {
	hash := sha256.Sum256(data)
	ref := "sha256:" + hex.EncodeToString(hash[:])
	m[ref] = append([]byte{}, data...)
	return ref, nil
}

func (m memoryStore) Get(_ context.Context, ref string, limit int) ([]byte, error) {
	data, ok := m[ref]
	if !ok {
		return nil, envelope.ErrMissingPayload
	}
	if len(data) > limit {
		return nil, envelope.ErrLimit
	}
	return data, nil
}

func TestLargePayloadsGoToTheStore(t *testing.T) {
	store := memoryStore{}
	r := newShop(t, envelope.WithStore(store, 100))
	assert.NotContains(t, requireEncodings(t, r, repetitive[:98]), "ref")
	assert.Empty(t, store)

	text := requireEncodings(t, r, repetitive[:99])
	parsed, err := envelope.Parse(text)
	require.NoError(t, err)
	assert.Equal(t, `{"$envelope":1,"type":"string","ref":"`+parsed.Ref+`"}`, text)
	assert.Equal(t, memoryStore{parsed.Ref: []byte(`"` + repetitive[:99] + `"`)}, store)
	assert.Nil(t, parsed.Data())

	requireEncodings(t, r, []any{repetitive})
	assert.Equal(t, repetitive, roundTrip(t, r, repetitive))
	assert.Len(t, store, 3)
}

func TestWhatIsStoredIsEncodedAndEncrypted(t *testing.T) {
	store := memoryStore{}
	r := newClinic(t, envelope.Encodings(flateCompression{}), envelope.EncryptAll(testAEAD{}), envelope.WithStore(store, 80))
	text := requireEncodings(t, r, repetitive, "deflate", "aead")
	assert.NotContains(t, text, "ref", "it is small by now")
	text = requireEncodings(t, r, []any{digitsOfPi, clinicCard{"4711"}}, "deflate", "aead")
	for ref, data := range store {
		assert.Contains(t, text, ref)
		assert.NotContains(t, string(data), "4711")
	}
	assert.Len(t, store, 1)
}

func TestCompressionIsKeptForTheStoreThoughBase64WouldSpoilIt(t *testing.T) {
	requireEncodings(t, newShop(t, envelope.Encodings(flateCompression{}), envelope.WithStore(memoryStore{}, 0)), digitsOfPi, "deflate")
}

func TestBytesOfCodecsAreStoredAsTheyAre(t *testing.T) {
	store := memoryStore{}
	r := newShop(t, envelope.WithStore(store, 10))
	require.NoError(t, envelope.Register[measurement](r, "lab.Measurement", envelope.UseCodec(gobCodec{})))
	sent := measurement{Unit: "m"}
	requireEncodings(t, r, &sent)
	for _, data := range store {
		var read measurement
		require.NoError(t, gobCodec{}.Unmarshal(data, &read))
		assert.Equal(t, sent, read)
	}
	assert.NotContains(t, requireEncodings(t, r, (*measurement)(nil)), "ref")
}

func TestReferencesOfOthersDoNotFitTheHeader(t *testing.T) {
	store := memoryStore{}
	r := newClinic(t, envelope.EncryptAll(testAEAD{}), envelope.WithStore(store, 0))
	one, err := envelope.Parse(marshal(t, r, clinicCard{"1"}))
	require.NoError(t, err)
	other, err := envelope.Parse(marshal(t, r, clinicTicket{1}))
	require.NoError(t, err)
	text := marshal(t, r, clinicCard{"1"})
	_, err = r.UnmarshalAny(t.Context(), strings.Replace(text, one.Ref, other.Ref, 1))
	require.ErrorIs(t, err, envelope.ErrUndecryptable)
}

func TestMissingPayloadsAreToldFromOthers(t *testing.T) {
	store := memoryStore{}
	r := newShop(t, envelope.WithStore(store, 0))
	text := marshal(t, r, "text")
	clear(store)
	_, err := r.UnmarshalAny(t.Context(), text)
	require.ErrorIs(t, err, envelope.ErrMissingPayload)
	require.EqualError(t, err, "string: payload store: payload is missing")
	require.NotErrorIs(t, err, envelope.ErrUnavailable)
	_, err = readInto[string](newShop(t), text)
	require.ErrorIs(t, err, envelope.ErrUnsupported)
	require.ErrorContains(t, err, "pass envelope.WithStore to envelope.NewRegistry")
}

// faultyStore answers as it is told.
type faultyStore struct {
	ref  string
	data []byte
	err  error
	gets *int
}

func (f faultyStore) Put(context.Context, []byte) (string, error) { return f.ref, f.err }
func (f faultyStore) Get(context.Context, string, int) ([]byte, error) {
	*f.gets++
	return f.data, f.err
}

func referring(typeName, ref string) string {
	return `{"$envelope":1,"type":"` + typeName + `","ref":"` + ref + `"}`
}

func TestFaultsOfTheStoreAreErrors(t *testing.T) {
	errDown := errors.New("connection refused")
	r := newShop(t, envelope.WithStore(faultyStore{err: errDown, gets: new(int)}, 0))
	_, err := r.Marshal(t.Context(), "text")
	require.ErrorIs(t, err, errDown)
	require.EqualError(t, err, "string: payload store is not available: connection refused")
	require.ErrorIs(t, err, envelope.ErrUnavailable)
	_, err = readInto[string](r, referring("string", emptyRef))
	require.ErrorIs(t, err, errDown)

	for _, ref := range []string{"", "1", "sha256:00", emptyRef + "0", "md5:" + emptyRef[7:], strings.ToUpper(emptyRef), emptyRef[:70] + "\""} {
		_, err = newShop(t, envelope.WithStore(faultyStore{ref: ref}, 0)).Marshal(t.Context(), "text")
		require.ErrorIs(t, err, envelope.ErrUnsupported, ref)
	}
}

func TestStoresThatReturnTooMuchAreStopped(t *testing.T) {
	long := []byte(`"` + strings.Repeat("a", 1000) + `"`)
	r := newShop(t, envelope.WithLimits(envelope.Limits{MaxBytes: 1000}), envelope.WithStore(faultyStore{data: long, gets: new(int)}, 0))
	requireLimit(t, r, referring("string", emptyRef), "MaxBytes is 1000")
}

func TestTheStoreIsAskedOnlyForWhatFits(t *testing.T) {
	gets := 0
	r := newShop(t, envelope.WithStore(faultyStore{data: []byte("1"), gets: &gets}, 0))
	for _, text := range []string{
		referring("shop.Order", emptyRef), referring("*shop.Order", emptyRef), referring("unknown.Type", emptyRef),
		referring("[]int", emptyRef), referring("int", "x"), referring("int", emptyRef) + "x",
		`{"$envelope":1,"type":"int","encoding":["zstd"],"ref":"` + emptyRef + `"}`,
		`{"$envelope":1,"type":"int","ref":"` + emptyRef + `","data":1}`,
	} {
		_, err := readInto[int](r, text)
		require.Error(t, err)
		_, err = readInto[shopPacking](r, text)
		require.Error(t, err)
	}
	require.Zero(t, gets)
	for _, typeName := range []string{"int", "*int"} {
		read, err := readInto[*int](r, referring(typeName, emptyRef))
		require.NoError(t, err)
		assert.Equal(t, 1, *read)
	}
	require.Equal(t, 2, gets)
}

func TestStoresNeedAThreshold(t *testing.T) {
	for _, opt := range []envelope.Option{envelope.WithStore(nil, 1), envelope.WithStore(memoryStore{}, -1)} {
		require.ErrorIs(t, envelope.Register[shopLine](envelope.NewRegistry(opt), "shop.Line"), envelope.ErrRegistration)
	}
}
