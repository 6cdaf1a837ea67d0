package envelope_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// What has no field that could take a member.
type (
	emptyMark    struct{}
	emptyHidden  struct{ note string }
	emptyOmitted struct {
		Note string `json:"-"`
	}
	emptyEmbedding struct {
		emptyMark
		_ struct{}
	}
	emptyGeneric[T any] struct{}
	emptyHolder         struct {
		Plain   struct{}
		Pointer *struct{}
		List    []struct{}
		Array   [1]struct{}
		Map     map[string]struct{}
		Mark    emptyMark
		Any     any
	}
)

func newEmpty(t *testing.T, opts ...envelope.Option) *envelope.Registry {
	t.Helper()
	r := envelope.NewRegistry(opts...)
	require.NoError(t, envelope.Register[emptyMark](r, "empty.Mark"))
	require.NoError(t, envelope.Register[emptyHidden](r, "empty.Hidden", envelope.IgnoreUnexported()))
	require.NoError(t, envelope.Register[emptyOmitted](r, "empty.Omitted"))
	require.NoError(t, envelope.Register[emptyEmbedding](r, "empty.Embedding"))
	require.NoError(t, envelope.Register[emptyGeneric[int]](r, "empty.Generic"))
	require.NoError(t, envelope.Register[emptyHolder](r, "empty.Holder"))
	require.NoError(t, r.Check())
	return r
}

// withMembers are envelopes of what has no fields, with members in them.
func withMembers() map[string]string {
	const object = `{"a":{"b":[1]},"":null}`
	texts := map[string]string{}
	for _, name := range []string{
		"struct", "empty.Mark", "empty.Hidden", "empty.Omitted", "empty.Embedding", "empty.Generic",
	} {
		texts[name] = opened(name, object)
		texts["*"+name] = opened("*"+name, object)
		texts["[]"+name] = opened("[]"+name, "["+object+","+object+"]")
		texts["[2]"+name] = opened("[2]"+name, "["+object+","+object+"]")
		texts["map of "+name] = opened("map[string]"+name, `{"k":`+object+"}")
		texts["any of "+name] = opened("[]any", "["+opened(name, object)+"]")
	}
	for _, field := range []string{
		`"Plain":` + object, `"Pointer":` + object, `"List":[` + object + "]", `"Array":[` + object + "]",
		`"Map":{"k":` + object + "}", `"Mark":` + object, `"Any":` + opened("struct", object),
	} {
		texts["field "+field] = opened("empty.Holder", "{"+field+"}")
	}
	return texts
}

func TestMembersOfStructsWithoutFieldsAreUnknownOnes(t *testing.T) {
	lenient, strict := newEmpty(t), newEmpty(t, envelope.RefuseUnknownMembers())
	for name, text := range withMembers() {
		t.Run(name, func(t *testing.T) {
			_, err := lenient.UnmarshalAny(t.Context(), text)
			require.NoError(t, err)
			_, err = strict.UnmarshalAny(t.Context(), text)
			require.ErrorIs(t, err, envelope.ErrTypeMismatch)
			require.ErrorContains(t, err, "no field for this member")
			_, err = lenient.Describe(t.Context(), text)
			require.NoError(t, err)
		})
	}
	requireUnreadable[struct{}](t, lenient, opened("struct", `{"a":1,"a":2}`), envelope.ErrMalformed, "struct[…]: duplicate name")
	requireUnreadable[struct{}](t, lenient, opened("struct", `{"a":}`), envelope.ErrMalformed, "struct[…]: unexpected character")
}

func TestAnUpgradeFromAStructWithoutFieldsIgnoresItsMembers(t *testing.T) {
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[shopBox](r, "shop.Box", envelope.Version(2),
		envelope.Upgrade(1, func(context.Context, struct{}) (shopBox, error) { return shopBox{Kilos: 7}, nil })))
	assert.Equal(t, shopBox{Kilos: 7}, receives[shopBox](t, r, opened("shop.Box", `{"Kilos":3}`)))
}

func TestStructsWithoutFieldsArriveWhereverTheyStand(t *testing.T) {
	r := newEmpty(t)
	for _, sent := range []any{
		struct{}{}, &struct{}{}, (*struct{})(nil), []struct{}{{}, {}, {}}, [3]struct{}{}, [0]int{}, [0]emptyMark{}, []struct{}{}, []struct{}(nil),
		map[string]struct{}{"a": {}, "b": {}}, map[int]*struct{}{1: {}, 2: nil}, map[bool][0]string{true: {}},
		emptyMark{}, emptyEmbedding{emptyMark: emptyMark{}}, emptyGeneric[int]{}, []emptyMark{{}, {}}, [][0]int{{}, {}}, []*[0]int{{}, nil},
		emptyHolder{
			Pointer: &struct{}{}, List: []struct{}{{}, {}}, Map: map[string]struct{}{"": {}},
			Any: []any{struct{}{}, &emptyMark{}, map[string]emptyMark{"a": {}}},
		},
	} {
		assert.Equal(t, sent, roundTripAny(t, r, sent))
	}
	assert.Equal(t, emptyHidden{}, roundTripAny(t, r, emptyHidden{note: "left out"}))
}
