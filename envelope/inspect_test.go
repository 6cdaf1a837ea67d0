package envelope_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

type (
	vaultKey  struct{ Digits string }
	vaultBox  struct{ Key *vaultKey }
	vaultShow struct{ Inside any }
)

func newVault(t *testing.T, opts ...envelope.Option) *envelope.Registry {
	t.Helper()
	r := newShop(t, opts...)
	require.NoError(t, envelope.Register[vaultKey](r, "vault.Key", envelope.Secret()))
	require.NoError(t, envelope.Register[vaultBox](r, "vault.Box"))
	require.NoError(t, envelope.Register[vaultShow](r, "vault.Show"))
	require.NoError(t, envelope.Register[measurement](r, "lab.Measurement", envelope.UseCodec(gobCodec{}), envelope.Version(2)))
	return r
}

func inspect(t *testing.T, r *envelope.Registry, v any) string {
	t.Helper()
	text, err := r.Inspect(t.Context(), marshal(t, r, v))
	require.NoError(t, err)
	return text
}

func TestInspectShowsHeaderAndPayload(t *testing.T) {
	r := newVault(t)
	assert.Equal(t, "shop.Box\n{\"Kilos\":2}", inspect(t, r, shopBox{2}))
	assert.Equal(t, "[]any\n[1,{\"$envelope\":1,\"type\":\"int\",\"data\":2}]", inspect(t, r, []any{1.0, 2}))
	assert.Equal(t, "lab.Measurement, version 2, codec gob", inspect(t, r, measurement{Unit: "m"}))
}

func TestInspectOpensEncodedPayloads(t *testing.T) {
	r := newVault(t, envelope.Encodings(flateCompression{}), envelope.EncryptAll(testAEAD{}), envelope.WithStore(memoryStore{}, 0))
	assert.Equal(t, "string, encoding deflate aead, kept in the payload store\n\""+repetitive+`"`, inspect(t, r, repetitive))

	stranger := newVault(t, envelope.Encodings(flateCompression{}), envelope.EncryptAll(testAEAD{"another"}), envelope.WithStore(memoryStore{}, 0))
	text, err := stranger.Inspect(t.Context(), marshal(t, r, repetitive))
	require.ErrorIs(t, err, envelope.ErrMissingPayload)
	assert.Equal(t, "string, encoding deflate aead, kept in the payload store", text)
}

func TestInspectGivesOnlyTheNameOfSecrets(t *testing.T) {
	for _, r := range []*envelope.Registry{newVault(t), newVault(t, envelope.EncryptAll(testAEAD{}))} {
		key := vaultKey{"4711"}
		for name, v := range map[string]any{
			"vault.Key": key, "*vault.Key": &key, "[]vault.Key": []vaultKey{key}, "map[string]*vault.Box": map[string]*vaultBox{"a": {&key}},
			"vault.Show": vaultShow{key}, "[]any": []any{vaultShow{[]any{map[string]any{"a": vaultBox{&key}}}}},
		} {
			assert.Equal(t, name, inspect(t, r, v))
		}
		assert.Contains(t, inspect(t, r, vaultShow{"4711"}), "4711")
	}
}

func TestInspectGivesOnlyTheNameOfWhatIsNotRegistered(t *testing.T) {
	r := newVault(t)
	for _, name := range []string{"vault.Unknown", "[]vault.Unknown", "map[vault.Unknown]int"} {
		for text, want := range map[string]string{
			opened(name, `{"Digits":"4711"}`):                                                   name,
			opened("any", `[{"a":{"$envelope":1,"type":"`+name+`","data":"4711"}}]`):            "any",
			opened("any", `{"\u0024envelope":1,"type":"`+name+`","data":"4711"}`):               "any",
			opened("any", `{"$envelope":1,"type":"int","ref":"`+emptyRef+`"}`):                  "any",
			opened("any", `{"$envelope":1,"typ":"int","data":"4711"}`):                          "any",
			opened("any", `{"$envelope":1,"type":"any","data":{"$envelope":"4711","data":""}}`): "any",
		} {
			described, err := r.Inspect(t.Context(), text)
			require.NoError(t, err)
			assert.Equal(t, want, described)
		}
	}
}

func TestInspectOfWhatIsNoEnvelope(t *testing.T) {
	r := newVault(t)
	for text, want := range map[string]string{
		"": "", "4711": "", `{"$envelope":1}`: "", `{"$envelope":1,"type":"[","data":1}`: "",
		opened("int", "4711") + "}": "int", opened("any", "[4711"): "any", opened("any", "[4711}"): "any",
		opened("any", strings.Repeat("[", 2000)):                     "any",
		`{"$envelope":1,"type":"int","encoding":["zstd"],"data":""}`: "int, encoding zstd",
	} {
		described, err := r.Inspect(t.Context(), text)
		require.Error(t, err, text)
		assert.NotContains(t, err.Error(), "4711")
		assert.Equal(t, want, strings.Split(described, "\n")[0], text)
	}
	_, err := newVault(t, envelope.MaxBytes(100)).Inspect(t.Context(), strings.Repeat(" ", 101))
	require.ErrorIs(t, err, envelope.ErrLimit)
}

func TestNoFormatShowsAPayload(t *testing.T) {
	parsed, err := envelope.Parse(`{"$envelope":1,"type":"string","version":2,"codec":"cbor","data":"NDcxMQ=="}`)
	require.NoError(t, err)
	require.Equal(t, "4711", string(parsed.Data))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.Equal(t, "string, version 2, codec cbor", fmt.Sprintf(verb, parsed))
		assert.Equal(t, "string, version 2, codec cbor", fmt.Sprintf(verb, &parsed))
	}
}

func TestNoFormatShowsAKey(t *testing.T) {
	r := envelope.NewRegistry(envelope.EncryptAll(testAEAD{"hunter2"}))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		assert.Equal(t, "envelope.Registry", fmt.Sprintf(verb, r))
	}
}
