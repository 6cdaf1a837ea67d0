package envelope_test

import (
	"context"
	"encoding"
	"encoding/json"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// Types whose marshalers are promoted from a pointer or an interface, which is nil in a new value.
type (
	nilJSON struct{ text string }
	nilText struct{ text string }
	NilText struct{ text string }
	nilPair interface {
		json.Marshaler
		json.Unmarshaler
	}
	nilTexts interface {
		encoding.TextMarshaler
		encoding.TextUnmarshaler
	}
	nilByJSON      struct{ *nilJSON }
	nilByText      struct{ *nilText }
	nilByInterface struct{ nilPair }
	nilByNested    struct{ nilByJSON }
	nilByShown     struct{ nilShown }
	nilShown       struct{ *NilText }

	nilKey          struct{ *NilText }
	nilKeyNested    struct{ nilKey }
	nilKeyInterface struct{ nilTexts }
	nilKeyLibrary   struct{ *big.Int }

	nilHolder[K comparable] struct{ Map map[K]int }

	// These hold what has the marshalers, or set the pointer themselves.
	nilNot        struct{ nilJSON }
	nilNotPointer struct{ *NilText }
	nilNotItself  struct{ *nilJSON }
	nilNotKey     struct{ oddKey }
)

func (n nilJSON) MarshalJSON() ([]byte, error)      { return json.Marshal(n.text) }
func (n *nilJSON) UnmarshalJSON(data []byte) error  { return json.Unmarshal(data, &n.text) }
func (n nilText) MarshalText() ([]byte, error)      { return []byte(n.text), nil }
func (n *nilText) UnmarshalText(text []byte) error  { n.text = string(text); return nil }
func (n NilText) MarshalText() ([]byte, error)      { return []byte(n.text), nil }
func (n *NilText) UnmarshalText(text []byte) error  { n.text = string(text); return nil }
func (n nilNotItself) MarshalJSON() ([]byte, error) { return json.Marshal(n.nilJSON.text) }
func (n *nilNotItself) UnmarshalJSON(data []byte) error {
	n.nilJSON = &nilJSON{}
	return n.nilJSON.UnmarshalJSON(data)
}

func requireNotRegistrable[T any](t *testing.T, text string) {
	t.Helper()
	err := envelope.Register[T](envelope.NewRegistry(), "test.T")
	require.ErrorIs(t, err, envelope.ErrUnsupported)
	require.ErrorContains(t, err, text)
	require.ErrorContains(t, err, "envelope.Convert(to, from)")
}

func TestMarshalersPromotedFromWhatCannotBeSetAreRefused(t *testing.T) {
	const cannotBeSet = " is embedded, and cannot be set on receipt as its name is unexported: call envelope.MustRegister["
	requireNotRegistrable[nilByJSON](t, "*envelope_test.nilJSON"+cannotBeSet)
	requireNotRegistrable[nilByText](t, "*envelope_test.nilText"+cannotBeSet)
	requireNotRegistrable[nilByInterface](t, "envelope_test.nilPair"+cannotBeSet)
	requireNotRegistrable[nilByNested](t, "envelope_test.nilByJSON"+cannotBeSet)
	requireNotRegistrable[nilByShown](t, "envelope_test.nilShown"+cannotBeSet)
}

func TestMapKeysWithTextPromotedFromAPointerAreRefused(t *testing.T) {
	requireNotRegistrable[nilHolder[nilKey]](t, "map keys of type envelope_test.nilKey cannot be carried")
	requireNotRegistrable[nilHolder[nilKeyNested]](t, "map keys of type envelope_test.nilKeyNested cannot be carried")
	requireNotRegistrable[nilHolder[nilKeyInterface]](t, "map keys of type envelope_test.nilKeyInterface cannot be carried")
	requireNotRegistrable[nilHolder[nilKeyLibrary]](t, "map keys of type envelope_test.nilKeyLibrary cannot be carried")
}

func TestMarshalersPromotedFromWhatCanBeSetAreUsed(t *testing.T) {
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[nilNot](r, "nil.Not"))
	require.NoError(t, envelope.Register[nilNotPointer](r, "nil.NotPointer"))
	require.NoError(t, envelope.Register[nilNotItself](r, "nil.NotItself"))
	require.NoError(t, envelope.Register[nilNotKey](r, "nil.NotKey"))
	for _, sent := range []any{
		nilNot{nilJSON{"a"}}, nilNotPointer{&NilText{"a"}}, nilNotPointer{}, nilNotItself{&nilJSON{"a"}}, map[nilNotKey]int{{oddKey{1, 2}}: 3},
	} {
		assert.Equal(t, sent, roundTripAny(t, r, sent))
	}
}

func TestConvertAndUpgradeNeedTheirFunctions(t *testing.T) {
	to := func(context.Context, shopBox) (int, error) { return 0, nil }
	from := func(context.Context, int) (shopBox, error) { return shopBox{}, nil }
	for _, option := range []envelope.TypeOption{envelope.Convert(to, nil), envelope.Convert(nil, from)} {
		err := envelope.Register[shopBox](envelope.NewRegistry(), "shop.Box", option)
		require.ErrorIs(t, err, envelope.ErrRegistration)
		require.ErrorContains(t, err, "Convert got nil")
	}
	err := envelope.Register[shopBox](envelope.NewRegistry(), "shop.Box", envelope.Version(2), envelope.Upgrade[int, shopBox](1, nil))
	require.ErrorIs(t, err, envelope.ErrRegistration)
	require.ErrorContains(t, err, "Upgrade from version 1 got nil")
}
