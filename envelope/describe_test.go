package envelope_test

import (
	"context"
	"encoding/json"
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
	assert.Equal(t, "[]any\n[1,int(2)]", inspect(t, r, []any{1.0, 2}))
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

func TestEncodedPayloadsOfTypesThatMessagesCannotChooseAreDescribed(t *testing.T) {
	type locked struct{ Note string }
	for name, opts := range map[string][]envelope.Option{
		"plain":      nil,
		"compressed": {envelope.Encodings(flateCompression{})},
		"encrypted":  {envelope.EncryptAll(testAEAD{})},
		"stored":     {envelope.WithStore(memoryStore{}, 0)},
	} {
		for _, options := range [][]envelope.TypeOption{
			{envelope.StaticOnly()}, {envelope.StaticOnly(), envelope.UseCodec(gobCodec{})},
		} {
			r := envelope.NewRegistry(opts...)
			require.NoError(t, envelope.Register[locked](r, "vault.Locked", options...))
			for _, v := range []any{locked{repetitive}, &locked{repetitive}, []locked{{repetitive}}} {
				described, err := r.Describe(t.Context(), marshal(t, r, v))
				require.NoError(t, err, name)
				if described.Codec == "json" && len(options) == 1 {
					assert.Contains(t, described.Value.String(), repetitive, name)
				}
				if described.Codec != "json" {
					assert.Equal(t, envelope.Opaque, described.Value.Kind, name)
				}
			}
		}
	}
}

func TestInspectGivesOnlyTheNameOfSecrets(t *testing.T) {
	for _, r := range []*envelope.Registry{newVault(t), newVault(t, envelope.EncryptAll(testAEAD{}))} {
		key := vaultKey{"4711"}
		for want, v := range map[string]any{
			"vault.Key": key, "*vault.Key": &key,
			"[]vault.Key\n[vault.Key(…),vault.Key(…)]":              []vaultKey{key, key},
			"[]*vault.Key\n[vault.Key(…),vault.Key(…)]":             []*vaultKey{&key, nil},
			"map[string]*vault.Box\n{\"a\":{\"Key\":vault.Key(…)}}": map[string]*vaultBox{"a": {&key}},
			"vault.Show\n{\"Inside\":vault.Key(…)}":                 vaultShow{key},
			"vault.Show\n{\"Inside\":*vault.Key(…)}":                vaultShow{&key},
			"[]any\n[vault.Show({\"Inside\":[{\"a\":vault.Box({\"Key\":vault.Key(…)})}]})]": []any{
				vaultShow{[]any{map[string]any{"a": vaultBox{&key}}}}},
		} {
			described := inspect(t, r, v)
			described = strings.Replace(described, ", encoding aead", "", 1)
			assert.Equal(t, want, described)
		}
		assert.Contains(t, inspect(t, r, vaultShow{"4711"}), "4711")
	}
}

func TestInspectGivesOnlyTheNameOfWhatIsNotRegistered(t *testing.T) {
	r := newVault(t)
	for _, name := range []string{"vault.Unknown", "[]vault.Unknown", "map[vault.Unknown]int"} {
		for text, want := range map[string]string{
			opened(name, `{"Digits":"4711"}`):                                                   name,
			opened("any", `[{"a":{"$envelope":1,"type":"`+name+`","data":"4711"}}]`):            "any\n[{\"a\":" + name + "(…)}]",
			opened("any", `{"\u0024envelope":1,"type":"`+name+`","data":"4711"}`):               "any\n" + name + "(…)",
			opened("any", `[{"$envelope":1,"type":"int","ref":"`+emptyRef+`"}]`):                "any\n[…]",
			opened("any", `{"$envelope":1,"typ":"int","data":"4711"}`):                          "any",
			opened("any", `{"$envelope":1,"type":"any","data":{"$envelope":"4711","data":""}}`): "any\nany(…)",
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
	_, err := newVault(t, envelope.WithLimits(envelope.Limits{MaxBytes: 100})).Inspect(t.Context(), strings.Repeat(" ", 101))
	require.ErrorIs(t, err, envelope.ErrLimit)
}

func TestNoFormatShowsAPayload(t *testing.T) {
	parsed, err := envelope.Parse(`{"$envelope":1,"type":"string","version":2,"codec":"cbor","data":"NDcxMQ=="}`)
	require.NoError(t, err)
	require.Equal(t, "4711", string(parsed.Data()))
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

type (
	vaultOld struct {
		Code vaultKey
		Note string
	}
	vaultNew    struct{ Note string }
	vaultOpaque struct{ key vaultKey }
	vaultWire   struct {
		Key  vaultKey
		Name string
	}
	vaultText   string
	vaultMarked struct {
		Keys map[vaultText]int
		Text vaultText
		List []vaultText
		Note string `json:"note"`
	}
)

func (o vaultOpaque) MarshalJSON() ([]byte, error)  { return json.Marshal(o.key) }
func (o *vaultOpaque) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &o.key) }

type vaultHolder struct {
	Opaque vaultMarshaler
	Next   *vaultHolder
}

// vaultMarshaler holds a secret in a field that can be seen, and writes it by itself.
type vaultMarshaler struct{ Key vaultKey }

func (m vaultMarshaler) MarshalJSON() ([]byte, error)  { return json.Marshal("digits " + m.Key.Digits) }
func (m *vaultMarshaler) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &m.Key.Digits) }

func newDescribed(t *testing.T, opts ...envelope.Option) *envelope.Registry {
	t.Helper()
	r := newVault(t, opts...)
	require.NoError(t, envelope.Register[vaultNew](r, "vault.New", envelope.Version(2),
		envelope.Upgrade(1, func(_ context.Context, old vaultOld) (vaultNew, error) { return vaultNew{old.Note}, nil })))
	require.NoError(t, envelope.Register[vaultOpaque](r, "vault.Opaque",
		envelope.Convert(func(_ context.Context, o vaultOpaque) (vaultWire, error) { return vaultWire{o.key, "n"}, nil },
			func(_ context.Context, w vaultWire) (vaultOpaque, error) { return vaultOpaque{w.Key}, nil })))
	require.NoError(t, envelope.Register[vaultText](r, "vault.Text", envelope.Secret()))
	require.NoError(t, envelope.Register[vaultMarked](r, "vault.Marked"))
	require.NoError(t, envelope.Register[vaultHolder](r, "vault.Holder"))
	return r
}

func TestDescribeFollowsWhatValuesAreWrittenAs(t *testing.T) {
	r := newDescribed(t)
	marked := vaultMarked{Keys: map[vaultText]int{"4711": 1}, Text: "4711", List: []vaultText{"4711"}, Note: "seen"}
	holder := vaultHolder{Opaque: vaultMarshaler{vaultKey{"4711"}}, Next: &vaultHolder{}}
	for text, want := range map[string]string{
		marshal(t, r, vaultOpaque{vaultKey{"4711"}}):                              `{"Key":vault.Key(…),"Name":"n"}`,
		marshal(t, r, vaultNew{"new"}):                                            `{"Note":"new"}`,
		opened("vault.New", `{"Code":{"Digits":"4711"},"Note":"old"}`):            `{"Code":vault.Key(…),"Note":"old"}`,
		opened("[]*vault.New", `[{"code":{"Digits":"4711"},"Note":"old"}]`):       `[{"code":vault.Key(…),"Note":"old"}]`,
		marshal(t, r, marked):                                                     `{"Keys":…,"Text":vault.Text(…),"List":[vault.Text(…)],"note":"seen"}`,
		marshal(t, r, holder):                                                     `{"Opaque":envelope_test.vaultMarshaler(…),"Next":{"Opaque":envelope_test.vaultMarshaler(…),"Next":null}}`,
		marshal(t, r, map[vaultText]int{"4711": 1}):                               "…",
		marshal(t, r, []any{nil, true, -0.5, "a", map[string]any{}, []byte("4")}): `[null,true,-0.5,"a",{},[]uint8("NA==")]`,
	} {
		described, err := r.Describe(t.Context(), text)
		require.NoError(t, err, text)
		assert.Equal(t, want, described.Value.String(), text)
		assert.Equal(t, len(text), described.Size)
	}
}

func TestDescribeHidesWhatDoesNotFitATypeThatHoldsASecret(t *testing.T) {
	r := newDescribed(t)
	for text, want := range map[string]string{
		opened("vault.Box", `"4711"`):                          "…",
		opened("vault.Box", `["4711"]`):                        "…",
		opened("vault.Box", `{"Kee":{"Digits":"4711"}}`):       `{"Kee":…}`,
		opened("[]vault.Box", `{"a":{"Digits":"4711"}}`):       "…",
		opened("map[string]vault.Box", `["4711"]`):             "…",
		opened("vault.Show", `"4711"`):                         `"4711"`,
		opened("vault.Show", `{"New":{"Digits":"4711"}}`):      `{"New":{"Digits":"4711"}}`,
		opened("vault.Show", `{"Inside":[{"a":[1,{"b":2}]}]}`): `{"Inside":[{"a":[1,{"b":2}]}]}`,
	} {
		described, err := r.Describe(t.Context(), text)
		require.NoError(t, err, text)
		assert.Equal(t, want, described.Value.String(), text)
	}
}

// vaultSealed is a secret that is written in a codec of its own.
type (
	vaultSealed struct{ Digits string }
	vaultSafe   struct {
		Sealed vaultSealed
		Any    any
		Note   string
	}
)

func TestDescribeHidesSecretsInACodecOfTheirOwn(t *testing.T) {
	r := newVault(t)
	require.NoError(t, envelope.Register[vaultSealed](r, "vault.Sealed", envelope.Secret(), envelope.UseCodec(gobCodec{})))
	require.NoError(t, envelope.Register[vaultSafe](r, "vault.Safe"))
	sealed := vaultSealed{"4711"}
	for want, v := range map[string]any{
		"vault.Sealed, codec gob": sealed, "*vault.Sealed, codec gob": &sealed,
		"[]vault.Sealed\n[vault.Sealed(…)]":                                                  []vaultSealed{sealed},
		"map[string]*vault.Sealed\n{\"a\":vault.Sealed(…)}":                                  map[string]*vaultSealed{"a": &sealed},
		"[]any\n[vault.Sealed(…),{\"a\":*vault.Sealed(…)}]":                                  []any{sealed, map[string]any{"a": &sealed}},
		"vault.Safe\n{\"Sealed\":vault.Sealed(…),\"Any\":vault.Sealed(…),\"Note\":\"seen\"}": vaultSafe{sealed, sealed, "seen"},
	} {
		assert.Equal(t, want, inspect(t, r, v))
	}
}

func TestDescribeGivesTheHeader(t *testing.T) {
	r := newDescribed(t, envelope.Encodings(flateCompression{}), envelope.WithStore(memoryStore{}, 0))
	text := marshal(t, r, measurement{Unit: strings.Repeat("m", 500)})
	described, err := r.Describe(t.Context(), text)
	require.NoError(t, err)
	assert.Equal(t, envelope.Opaque, described.Value.Kind)
	assert.Equal(t, []any{"lab.Measurement", 2, "gob", []string{"deflate"}, len(text)},
		[]any{described.Type, described.Version, described.Codec, described.Encoding, described.Size})
	assert.NotEmpty(t, described.Ref)
}

func TestDescribeTakesNoMoreMemoryThanIsAllowed(t *testing.T) {
	r := envelope.NewRegistry(envelope.WithLimits(envelope.Limits{MaxMemory: 1 << 20}))
	described, err := r.Describe(t.Context(), opened("any", "["+strings.Repeat("0,", 100_000)+"0]"))
	require.ErrorIs(t, err, envelope.ErrLimit)
	assert.Equal(t, envelope.Node{Kind: envelope.Opaque}, described.Value)
}

func TestNoMutationOfAMessageHasASecretShown(t *testing.T) {
	r := newDescribed(t)
	key := vaultKey{"4711"}
	texts := []string{
		marshal(t, r, []any{vaultShow{&key}, vaultBox{&key}, map[string]any{"a": []vaultKey{key}}}),
		marshal(t, r, map[string]vaultBox{"a": {&key}}), marshal(t, r, vaultOpaque{key}), marshal(t, r, vaultHolder{Opaque: vaultMarshaler{key}}),
	}
	for _, text := range texts {
		for i := range len(text) {
			if strings.Contains(text[max(0, i-len(`$envelope"`)):min(len(text), i+len(`"$envelope`))], "$envelope") {
				continue // what is no envelope any more is shown as the object that it is
			}
			for _, c := range "x\"{}[],:0" {
				mutated := text[:i] + string(c) + text[i+1:]
				if !strings.Contains(mutated, "4711") {
					continue
				}
				described, _ := r.Describe(t.Context(), mutated)
				require.NotContains(t, described.String(), "4711", mutated)
			}
		}
	}
}
