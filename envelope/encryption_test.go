package envelope_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// testAEAD is AES-GCM whose key is the hash of a few letters, and whose nonce is made of what is encrypted, so that
// tests know the ciphertext. Do not do that outside of tests.
type testAEAD struct{ key string }

func (a testAEAD) gcm() cipher.AEAD {
	key := sha256.Sum256([]byte(a.key))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

func (a testAEAD) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	hash := sha256.Sum256(append(append([]byte{}, associatedData...), plaintext...))
	nonce := hash[:a.gcm().NonceSize()]
	return a.gcm().Seal(append([]byte{}, nonce...), nonce, plaintext, associatedData), nil
}

func (a testAEAD) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	size := a.gcm().NonceSize()
	if len(ciphertext) < size {
		return nil, errTestAEAD
	}
	return a.gcm().Open(nil, ciphertext[:size], ciphertext[size:], associatedData)
}

var errTestAEAD = errors.New("ciphertext is too short")

// Types of a clinic, some of which ask for encryption.
type (
	clinicCard  struct{ Number string }
	clinicVisit struct {
		Card *clinicCard
		Note string
	}
	clinicTicket struct{ Seat int }
	clinicList   struct{ Visits map[string][]clinicVisit }
	clinicPass   struct{ Owner any }
	clinicPIN    string
)

func registerClinic(t *testing.T, r *envelope.Registry) *envelope.Registry {
	t.Helper()
	require.NoError(t, envelope.Register[clinicCard](r, "clinic.Card", envelope.Encrypted()))
	require.NoError(t, envelope.Register[clinicPIN](r, "clinic.PIN", envelope.Encrypted()))
	registerRestOfClinic(t, r)
	return r
}

func registerRestOfClinic(t *testing.T, r *envelope.Registry) {
	t.Helper()
	require.NoError(t, envelope.Register[clinicVisit](r, "clinic.Visit"))
	require.NoError(t, envelope.Register[clinicList](r, "clinic.List"))
	require.NoError(t, envelope.Register[clinicTicket](r, "clinic.Ticket"))
	require.NoError(t, envelope.Register[clinicPass](r, "clinic.Pass"))
	require.NoError(t, r.Check())
}

func newClinic(t *testing.T, opts ...envelope.Option) *envelope.Registry {
	t.Helper()
	return registerClinic(t, envelope.NewRegistry(opts...))
}

// newOpenClinic is that of an attacker, who has no key.
func newOpenClinic(t *testing.T) *envelope.Registry {
	t.Helper()
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[clinicCard](r, "clinic.Card"))
	require.NoError(t, envelope.Register[clinicPIN](r, "clinic.PIN"))
	registerRestOfClinic(t, r)
	return r
}

// confidential are values that hold something that asks for encryption; some hold it in an interface.
var confidential = []any{
	clinicCard{"4711"}, &clinicCard{}, (*clinicCard)(nil), []clinicCard{}, map[string]clinicCard{}, clinicPIN("1234"),
	map[clinicPIN]int{}, clinicVisit{}, clinicVisit{Card: &clinicCard{"4711"}}, []*clinicVisit{}, clinicList{},
}

var confidentialInside = []any{
	clinicPass{clinicCard{"4711"}}, clinicPass{clinicPass{[]any{1.0, map[string]any{"a": (*clinicVisit)(nil)}}}},
	[]any{clinicPIN("1234")}, map[string]any{"a": []any{clinicList{}}}, []any{[]clinicPIN{}},
}

var public = []any{clinicTicket{1}, clinicPass{clinicTicket{1}}, []any{clinicTicket{1}, "text"}, "text", 1, []string{}}

func TestEncryptAllEncryptsEverything(t *testing.T) {
	r := newClinic(t, envelope.EncryptAll(testAEAD{}))
	for _, values := range [][]any{confidential, confidentialInside, public} {
		for _, v := range values {
			text := requireEncodings(t, r, v, "aead")
			assert.NotContains(t, text, "4711")
		}
	}
}

func TestEncryptMarkedEncryptsWhatHoldsMarkedTypes(t *testing.T) {
	r := newClinic(t, envelope.EncryptMarked(testAEAD{}))
	for _, values := range [][]any{confidential, confidentialInside} {
		for _, v := range values {
			requireEncodings(t, r, v, "aead")
		}
	}
	for _, v := range public {
		requireEncodings(t, r, v)
	}
}

func TestMarkedTypesAreFoundBehindConvertersCodecsAndInOlderVersions(t *testing.T) {
	type (
		Converted struct{ number string }
		WithCodec struct{ Cards []clinicCard }
		Old       struct{ Card clinicCard }
		Upgraded  struct{ Count int }
		Hidden    struct{ card *clinicCard }
	)
	r := newClinic(t, envelope.EncryptMarked(testAEAD{}))
	require.NoError(t, envelope.Register[Converted](r, "clinic.Converted", envelope.Convert(
		func(_ context.Context, c Converted) (clinicCard, error) { return clinicCard{c.number}, nil },
		func(_ context.Context, c clinicCard) (Converted, error) { return Converted{c.Number}, nil },
	)))
	require.NoError(t, envelope.Register[WithCodec](r, "clinic.WithCodec", envelope.UseCodec(gobCodec{})))
	require.NoError(t, envelope.Register[Upgraded](r, "clinic.Upgraded", envelope.Version(2), envelope.Upgrade(1,
		func(context.Context, Old) (Upgraded, error) { return Upgraded{1}, nil })))
	require.NoError(t, envelope.Register[Hidden](r, "clinic.Hidden", envelope.IgnoreUnexported()))
	requireEncodings(t, r, Converted{"4711"}, "aead")
	requireEncodings(t, r, WithCodec{[]clinicCard{{"4711"}}}, "aead")
	requireEncodings(t, r, Upgraded{2}, "aead")
	assert.NotContains(t, marshal(t, r, Hidden{card: &clinicCard{}}), "aead", "what does not travel counts for nothing")
}

func TestUnencryptedEnvelopesAreRefused(t *testing.T) {
	attacker := newOpenClinic(t)
	for _, r := range []*envelope.Registry{
		newClinic(t, envelope.EncryptAll(testAEAD{})), newClinic(t, envelope.EncryptMarked(testAEAD{})),
	} {
		for _, values := range [][]any{confidential, confidentialInside} {
			for _, v := range values {
				text := marshal(t, attacker, v)
				_, err := r.UnmarshalAny(t.Context(), text)
				require.ErrorIs(t, err, envelope.ErrUnencrypted, text)
				require.ErrorContains(t, err, "pass envelope.AllowUnencrypted")
				_, err = r.UnmarshalAny(t.Context(), " "+text)
				require.ErrorIs(t, err, envelope.ErrUnencrypted, text)
			}
		}
	}
}

func TestUnencryptedEnvelopesAreRefusedByTheReceiversType(t *testing.T) {
	r := newClinic(t, envelope.EncryptMarked(testAEAD{}))
	for _, text := range []string{
		opened("string", `"1234"`), opened("*string", `"1234"`), opened("clinic.PIN", `"1234"`), opened("any", "null"),
	} {
		_, err := readInto[clinicPIN](r, text)
		require.ErrorIs(t, err, envelope.ErrUnencrypted, text)
		_, err = readInto[*clinicPIN](r, text)
		require.ErrorIs(t, err, envelope.ErrUnencrypted, text)
	}
	for _, text := range []string{opened("clinic.Card", `{}`), opened("*clinic.Card", `{}`), opened("clinic.Visit", `{}`)} {
		_, err := readInto[clinicCard](r, text)
		require.ErrorIs(t, err, envelope.ErrUnencrypted, text)
		_, err = readInto[clinicVisit](r, text)
		require.ErrorIs(t, err, envelope.ErrUnencrypted, text)
	}
	_, err := readInto[string](newClinic(t, envelope.EncryptAll(testAEAD{})), opened("string", `"text"`))
	require.ErrorIs(t, err, envelope.ErrUnencrypted)
	read, err := readInto[string](r, opened("string", `"text"`))
	require.NoError(t, err)
	assert.Equal(t, "text", read)
}

func TestUnencryptedEnvelopesAreLetInDuringAMigration(t *testing.T) {
	attacker := newOpenClinic(t)
	for _, r := range []*envelope.Registry{
		newClinic(t, envelope.EncryptAll(testAEAD{}), envelope.AllowUnencrypted()),
		newClinic(t, envelope.EncryptMarked(testAEAD{}), envelope.AllowUnencrypted()),
	} {
		for _, values := range [][]any{confidential, confidentialInside} {
			for _, v := range values {
				arrived, err := r.UnmarshalAny(t.Context(), marshal(t, attacker, v))
				require.NoError(t, err)
				assert.Equal(t, v, arrived)
				requireEncodings(t, r, v, "aead")
			}
		}
	}
}

func TestReadersOfMarkedTypesTakeOthersInEitherForm(t *testing.T) {
	all, marked := newClinic(t, envelope.EncryptAll(testAEAD{})), newClinic(t, envelope.EncryptMarked(testAEAD{}))
	for _, v := range public {
		arrived, err := marked.UnmarshalAny(t.Context(), marshal(t, all, v))
		require.NoError(t, err)
		assert.Equal(t, v, arrived)
	}
}

func TestEncryptedTypesNeedAKey(t *testing.T) {
	err := envelope.Register[clinicCard](envelope.NewRegistry(), "clinic.Card", envelope.Encrypted())
	require.ErrorIs(t, err, envelope.ErrRegistration)
	require.ErrorContains(t, err, "pass envelope.EncryptAll or envelope.EncryptMarked to envelope.NewRegistry")
	for _, opts := range [][]envelope.Option{
		{envelope.EncryptAll(nil)}, {envelope.EncryptMarked(nil)},
		{envelope.EncryptAll(testAEAD{}), envelope.EncryptMarked(testAEAD{})},
	} {
		r := envelope.NewRegistry(opts...)
		require.ErrorIs(t, envelope.Register[clinicCard](r, "clinic.Card"), envelope.ErrRegistration)
		_, err := r.Marshal(t.Context(), 1)
		require.ErrorIs(t, err, envelope.ErrRegistration)
	}
}

func TestEncryptedEnvelopesNeedAKey(t *testing.T) {
	text := marshal(t, newClinic(t, envelope.EncryptAll(testAEAD{})), clinicTicket{1})
	_, err := readInto[clinicTicket](newOpenClinic(t), text)
	require.ErrorIs(t, err, envelope.ErrUnsupported)
}

func encodedEnvelope(typeName, encodings string, payload []byte) string {
	return fmt.Sprintf(`{"$envelope":1,"type":"%s","encoding":[%s],"data":"%s"}`,
		typeName, encodings, base64.StdEncoding.EncodeToString(payload))
}

// tamperRegistry has types whose envelopes differ in one part of the header each.
func tamperRegistry(t *testing.T) *envelope.Registry {
	t.Helper()
	type twin struct{ Unit, Value string }
	r := newClinic(t, envelope.Encodings(flateCompression{}), envelope.EncryptAll(testAEAD{}))
	upgrade := envelope.Upgrade(1, func(_ context.Context, m measurement) (measurement, error) { return m, nil })
	require.NoError(t, envelope.Register[measurement](r, "lab.Measurement", envelope.Version(2), upgrade, envelope.Alias("lab.Other")))
	require.NoError(t, envelope.Register[twin](r, "lab.Twin", envelope.UseCodec(gobCodec{})))
	return r
}

func TestEveryFlippedByteIsRefused(t *testing.T) {
	r := tamperRegistry(t)
	sent := measurement{Unit: repetitive, Value: "4711"}
	for _, v := range []any{sent, measurement{}, "text", clinicPass{1.0}, []any{nil}} {
		text := marshal(t, r, v)
		for i := range len(text) {
			for flip := 1; flip < 256; flip++ {
				flipped := text[:i] + string([]byte{text[i] ^ byte(flip)}) + text[i+1:]
				value, err := r.UnmarshalAny(t.Context(), flipped)
				if err == nil || value != nil {
					t.Fatalf("%q was read", flipped)
				}
				var target measurement
				if r.Unmarshal(t.Context(), flipped, &target) == nil || target != (measurement{}) {
					t.Fatalf("%q was read", flipped)
				}
			}
		}
	}
}

func TestEveryShorterTextIsRefused(t *testing.T) {
	r := tamperRegistry(t)
	text := marshal(t, r, measurement{Unit: repetitive})
	for i := range len(text) {
		_, err := r.UnmarshalAny(t.Context(), text[:i])
		require.Error(t, err, text[:i])
		_, err = r.UnmarshalAny(t.Context(), text[:i]+text[i+1:])
		require.Error(t, err, "without byte %d", i)
	}
}

func TestHeadersCannotBeSwapped(t *testing.T) {
	r := tamperRegistry(t)
	text := marshal(t, r, measurement{Unit: repetitive})
	require.Contains(t, text, `"type":"lab.Measurement","version":2,"encoding":["deflate","aead"]`)
	for _, swap := range [][2]string{
		{`"lab.Measurement"`, `"lab.Twin"`}, {`"lab.Measurement"`, `"*lab.Measurement"`}, {`"lab.Measurement"`, `"lab.Other"`},
		{`"lab.Measurement"`, `"[]lab.Measurement"`}, {`"lab.Measurement"`, `"any"`},
		{`"version":2,`, `"version":1,`}, {`"version":2,`, ``}, {`"version":2`, `"version":2,"codec":"gob"`},
		{`["deflate","aead"]`, `["aead","deflate"]`}, {`["deflate","aead"]`, `["aead"]`}, {`["deflate","aead"]`, `["deflate"]`},
		{`["deflate","aead"]`, `[]`}, {`"encoding":["deflate","aead"],`, ``}, {`["deflate","aead"]`, `["deflate","aead","aead"]`},
		{`["deflate","aead"]`, `["deflate","deflate","aead"]`}, {`["deflate","aead"]`, `["deflate","aead","deflate"]`},
		{`["deflate","aead"]`, `["zstd","aead"]`}, {`["deflate","aead"]`, `["deflate","AEAD"]`},
	} {
		swapped := strings.Replace(text, swap[0], swap[1], 1)
		require.NotEqual(t, text, swapped)
		value, err := r.UnmarshalAny(t.Context(), swapped)
		require.Error(t, err, swapped)
		require.Nil(t, value)
		target := measurement{}
		require.Error(t, r.Unmarshal(t.Context(), swapped, &target), swapped)
		require.Zero(t, target)
	}
	spelled := strings.Replace(marshal(t, r, []any{1}), `"[]any"`, `"[]any","version":1,"codec":"json"`, 1)
	_, err := r.UnmarshalAny(t.Context(), spelled)
	require.NoError(t, err, "what is spelled out means what it means when left out")
}

func TestWhatCannotBeDecryptedSaysSoAndNoMore(t *testing.T) {
	text := marshal(t, newClinic(t, envelope.EncryptAll(testAEAD{"old"})), clinicVisit{Note: "4711"})
	for _, changed := range []string{text, strings.Replace(text, `Visit"`, `Pass"`, 1), encodedEnvelope("clinic.Visit", `"aead"`, nil)} {
		_, err := newClinic(t, envelope.EncryptAll(testAEAD{"new"})).UnmarshalAny(t.Context(), changed)
		require.ErrorIs(t, err, envelope.ErrUndecryptable)
		var located *envelope.Error
		require.ErrorAs(t, err, &located)
		require.ErrorContains(t, err, located.Type+": payload of "+located.Type+" cannot be decrypted: "+
			"it or its header was changed, or its key is not, or no longer, in use here")
	}
}

type brokenAEAD struct{ testAEAD }

func (brokenAEAD) Encrypt([]byte, []byte) ([]byte, error) { return nil, errCodec }

func TestWhatCannotBeEncryptedIsNotSent(t *testing.T) {
	r := newClinic(t, envelope.EncryptMarked(brokenAEAD{}))
	text, err := r.Marshal(t.Context(), []any{clinicCard{"4711"}})
	require.Empty(t, text)
	require.ErrorIs(t, err, envelope.ErrUnencrypted)
	require.ErrorIs(t, err, errCodec)
	require.EqualError(t, err, "[]any: payload could not be encrypted")
}

func TestWhatEncodingMakesTooLongIsNotSent(t *testing.T) {
	fits := marshal(t, newClinic(t, envelope.EncryptAll(testAEAD{})), repetitive)
	exact := envelope.WithLimits(envelope.Limits{MaxBytes: len(fits)})
	assert.Equal(t, repetitive, roundTrip(t, newClinic(t, exact, envelope.EncryptAll(testAEAD{})), repetitive))
	requireTooLarge(t, newClinic(t, exact, envelope.EncryptAll(testAEAD{})), repetitive+"aaa", "MaxBytes")

	plain := len(marshal(t, newOpenClinic(t), repetitive))
	store := memoryStore{}
	r := newClinic(t, envelope.WithLimits(envelope.Limits{MaxBytes: plain}), envelope.Encodings(doubling{}), envelope.EncryptMarked(testAEAD{}), envelope.WithStore(store, 0))
	requireTooLarge(t, r, repetitive, "MaxBytes")
	assert.Empty(t, store, "what nobody could read is not kept")
}

// doubling makes payloads longer.
type doubling struct{ xorEncoding }

func (doubling) Name() string { return "doubling" }

func (doubling) AppendEncode(dst, data []byte) ([]byte, error) {
	return append(append(dst, data...), data...), nil
}
