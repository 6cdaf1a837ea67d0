package envelope_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// receives returns what a receiver of type T gets.
func receives[T any](t *testing.T, r *envelope.Registry, text string) T {
	t.Helper()
	var target T
	require.NoError(t, r.Unmarshal(context.Background(), text, &target), text)
	return target
}

func TestPointersAndValuesFitEachOther(t *testing.T) {
	r := newShop(t)
	line := shopLine{SKU: "a"}
	assert.Equal(t, line, receives[shopLine](t, r, marshal(t, r, &line)))
	assert.Equal(t, &line, receives[*shopLine](t, r, marshal(t, r, line)))
	assert.Equal(t, &line, receives[*shopLine](t, r, marshal(t, r, &line)))
	assert.Nil(t, receives[*shopLine](t, r, marshal(t, r, (*shopLine)(nil))))
	assert.Equal(t, pointerTo([]int(nil)), receives[*[]int](t, r, opened("[]int", "null")))
	assert.Equal(t, pointerTo(5), receives[*int](t, r, opened("int", "5")))
	assert.Equal(t, pointerTo(any(5.0)), receives[any](t, r, opened("*any", "5")))
	requireUnreadable[[]int](t, r, opened("*[]int", " null"), envelope.ErrTypeMismatch, "*[]int: null does not fit []int")
}

func TestElementsAndPointersToThemFitEachOther(t *testing.T) {
	r := newShop(t)
	line, now := shopLine{SKU: "a"}, time.Unix(1, 0).UTC()
	assert.Equal(t, []shopLine{line}, receives[[]shopLine](t, r, marshal(t, r, []*shopLine{&line})))
	assert.Equal(t, []*shopLine{&line}, receives[[]*shopLine](t, r, marshal(t, r, []shopLine{line})))
	assert.Equal(t, [1]shopLine{line}, receives[[1]shopLine](t, r, marshal(t, r, [1]*shopLine{&line})))
	assert.Equal(t, [][]shopLine{{line}}, receives[[][]shopLine](t, r, marshal(t, r, [][]*shopLine{{&line}})))
	assert.Equal(t, map[string]shopLine{"x": line}, receives[map[string]shopLine](t, r, marshal(t, r, map[string]*shopLine{"x": &line})))
	assert.Equal(t, []time.Time{now}, receives[[]time.Time](t, r, marshal(t, r, []*time.Time{&now})))
	assert.Equal(t, []int{5}, receives[[]int](t, r, marshal(t, r, []*int{pointerTo(5)})))

	require.ErrorIs(t, r.Unmarshal(t.Context(), marshal(t, r, []*shopLine{&line, nil}), new([]shopLine)), envelope.ErrTypeMismatch)
	require.ErrorIs(t, r.Unmarshal(t.Context(), marshal(t, r, map[string]*shopLine{"x": nil}), new(map[string]shopLine)), envelope.ErrTypeMismatch)
	require.ErrorIs(t, r.Unmarshal(t.Context(), marshal(t, r, []*time.Time{nil}), new([]time.Time)), envelope.ErrTypeMismatch)
	require.ErrorIs(t, r.Unmarshal(t.Context(), marshal(t, r, []*int{nil}), new([]int)), envelope.ErrTypeMismatch)
	require.ErrorIs(t, r.Unmarshal(t.Context(), marshal(t, r, []*shopPrice{nil}), new([]shopPrice)), envelope.ErrTypeMismatch)
	require.ErrorIs(t, r.Unmarshal(t.Context(), marshal(t, r, []*[]int{pointerTo([]int{1})}), new([][]int)), envelope.ErrTypeMismatch)
}

// What is nil at the sender never arrives as another value: here null is a value of the elements.
func TestPointersDoNotFitElementsThatNullIsAValueOf(t *testing.T) {
	type anyJSON struct{ Text string }
	type listed struct{ items []int }
	r := newShop(t)
	require.NoError(t, envelope.Register[anyJSON](r, "test.AnyJSON", envelope.AsJSON()))
	require.NoError(t, envelope.Register[listed](r, "test.Listed", envelope.Convert(
		func(_ context.Context, l listed) ([]int, error) { return l.items, nil },
		func(_ context.Context, items []int) (listed, error) { return listed{items}, nil })))
	for text, target := range map[string]any{
		opened("[]*json.Number", "[1,null]"):                        new([]json.Number),
		opened("map[string]*json.Number", `{"a":null}`):             new(map[string]json.Number),
		opened("[]*test.AnyJSON", `[{"Text":"a"},null]`):            new([]anyJSON),
		opened("[]*test.Listed", "[null]"):                          new([]listed),
		opened("[][1]*test.Listed", "[[null]]"):                     new([][1]listed),
		marshal(t, r, []*anyJSON{{Text: "a"}, nil}) + " ":           new([]anyJSON),
		marshal(t, r, map[int]*listed{1: nil, 2: {[]int{1}}}) + " ": new(map[int]listed),
	} {
		require.ErrorIs(t, r.Unmarshal(t.Context(), text, target), envelope.ErrTypeMismatch, text)
	}
}

func TestOtherTypesDoNotFit(t *testing.T) {
	r := newShop(t)
	mismatch := envelope.ErrTypeMismatch
	requireUnreadable[shopLine](t, r, opened("shop.Order", "{}"), mismatch,
		"shop.Order: envelope of shop.Order does not fit envelope_test.shopLine")
	requireUnreadable[int64](t, r, opened("int", "1"), mismatch, "int: envelope of int does not fit int64")
	requireUnreadable[[]int](t, r, opened("[]int64", "[]"), mismatch, "[]int64: envelope of []int64 does not fit []int")
	requireUnreadable[[2]int](t, r, opened("[3]int", "[1,2,3]"), mismatch, "[3]int: envelope of [3]int does not fit [2]int")
	requireUnreadable[map[string]int](t, r, opened("map[int]int", "{}"), mismatch,
		"map[int]int: envelope of map[int]int does not fit map[string]int")
	requireUnreadable[**shopLine](t, r, opened("shop.Line", "{}"), mismatch,
		"shop.Line: envelope of shop.Line does not fit **envelope_test.shopLine")
	requireUnreadable[string](t, r, opened("json.Number", "1"), mismatch, "json.Number: envelope of json.Number does not fit string")
	requireUnreadable[int64](t, r, opened("time.Duration", "1"), mismatch, "time.Duration: envelope of time.Duration does not fit int64")
	requireUnreadable[time.Duration](t, r, opened("int64", "1"), mismatch, "int64: envelope of int64 does not fit time.Duration")
	requireUnreadable[shopLine](t, r, opened("any", `{"sku":"a"}`), mismatch, "any: envelope of any does not fit envelope_test.shopLine")
	requireUnreadable[shopPrice](t, r, opened("int64", "1"), mismatch, "int64: envelope of int64 does not fit envelope_test.shopPrice")
}

func TestNamedBasicTypesTakeEnvelopesOfTheirKind(t *testing.T) {
	type tags []shopStatus
	r := newShop(t)
	assert.Equal(t, shopStatus("open"), receives[shopStatus](t, r, opened("string", `"open"`)))
	assert.Equal(t, tags{"open"}, receives[tags](t, r, opened("[]string", `["open"]`)))
	assert.Equal(t, map[shopStatus]tags{"a": {"b"}}, receives[map[shopStatus]tags](t, r, opened("map[string][]string", `{"a":["b"]}`)))
	require.NoError(t, envelope.Register[shopStatus](r, "shop.Status"))
	assert.Equal(t, shopStatus("open"), receives[shopStatus](t, r, opened("string", `"open"`)))
	requireUnreadable[string](t, r, opened("shop.Status", `"open"`), envelope.ErrTypeMismatch,
		"shop.Status: envelope of shop.Status does not fit string")
}

func TestUntypedNilFitsWhatCanBeNil(t *testing.T) {
	r := newShop(t)
	text := marshal(t, r, nil)
	assert.Equal(t, `{"$envelope":1,"type":"any","data":null}`, text)
	assert.Nil(t, receives[any](t, r, text))
	assert.Nil(t, receives[*shopLine](t, r, text))
	assert.Nil(t, receives[[]int](t, r, text))
	assert.Nil(t, receives[map[string]int](t, r, text))
	assert.Nil(t, receives[shopPacking](t, r, opened("shop.Packing", "null")))
	requireUnreadable[int](t, r, text, envelope.ErrTypeMismatch, "any: nil does not fit int")
}

func TestInterfacesTakeRegisteredTypesThatImplementThem(t *testing.T) {
	r := newShop(t)
	assert.Equal(t, shopPacking(shopBox{1}), receives[shopPacking](t, r, marshal(t, r, shopBox{1})))
	assert.Equal(t, shopPacking(&shopBox{1}), receives[shopPacking](t, r, marshal(t, r, &shopBox{1})))
	assert.Equal(t, shopPacking(&shopEnvelop{1}), receives[shopPacking](t, r, marshal(t, r, &shopEnvelop{1})))
	requireUnreadable[shopPacking](t, r, marshal(t, r, shopEnvelop{1}), envelope.ErrTypeMismatch,
		"shop.Envelop: shop.Envelop does not implement envelope_test.shopPacking")
	requireUnreadable[shopPacking](t, r, marshal(t, r, shopLine{}), envelope.ErrTypeMismatch,
		"shop.Line: shop.Line does not implement envelope_test.shopPacking")
}

func TestUnknownTypesAreRefused(t *testing.T) {
	r := newShop(t)
	for _, name := range []string{"shop.Nothing", "[]shop.Nothing", "map[shop.Nothing]int", "map[string]*shop.Nothing"} {
		for _, read := range []func() error{
			func() error {
				var target shopLine
				return r.Unmarshal(context.Background(), opened(name, "{}"), &target)
			},
			func() error { _, err := r.UnmarshalAny(context.Background(), opened(name, "{}")); return err },
		} {
			err := read()
			require.ErrorIs(t, err, envelope.ErrUnknownType)
			require.ErrorContains(t, err, name+": unknown type shop.Nothing: call, for its Go type T, ")
		}
	}
	requireUnreadable[shopParcel](t, r, opened("shop.Parcel", `{"Inside":[null,`+opened("shop.Nothing", "{}")+`]}`),
		envelope.ErrUnknownType, "shop.Parcel.Inside[1]: unknown type shop.Nothing")
}

func TestStaticOnlyTypesAreNeverChosenByMessages(t *testing.T) {
	type key struct{ Bits []byte }
	type ring struct{ Keys []key }
	r := newShop(t)
	require.NoError(t, envelope.Register[key](r, "test.Key", envelope.StaticOnly()))
	require.NoError(t, envelope.Register[ring](r, "test.Ring"))
	sent := key{Bits: []byte{1}}
	assert.Equal(t, sent, roundTrip(t, r, sent))
	assert.Equal(t, []key{sent}, roundTrip(t, r, []key{sent}))
	assert.Equal(t, any(ring{Keys: []key{sent}}), roundTripAny(t, r, ring{Keys: []key{sent}}))

	for _, chosen := range []any{sent, &sent, []key{sent}, map[string][]key{}} {
		_, err := r.UnmarshalAny(context.Background(), marshal(t, r, chosen))
		require.ErrorIs(t, err, envelope.ErrTypeMismatch)
		require.ErrorContains(t, err, "is StaticOnly: a message cannot choose it")
		_, err = r.Marshal(context.Background(), []any{chosen})
		require.ErrorIs(t, err, envelope.ErrUnsupported)
		require.ErrorContains(t, err, "is StaticOnly: nobody would open it inside an interface")
	}
	requireUnreadable[[]any](t, r, opened("[]any", `[`+opened("*test.Key", "null")+`]`), envelope.ErrTypeMismatch,
		"[]any[0]: *test.Key is StaticOnly: a message cannot choose it")
}

func TestEnvelopesNestOnlyAtInterfaces(t *testing.T) {
	r := newShop(t)
	lookalike := map[string]any{"$envelope": 1.0, "type": "shop.Box", "data": map[string]any{}}
	text := marshal(t, r, lookalike)
	assert.Equal(t, lookalike, receives[map[string]any](t, r, text))
	assert.Equal(t, any(lookalike), roundTripAny(t, r, lookalike))
	sent := shopOrder{Extra: lookalike, Labels: map[string]string{"$envelope": "x"}}
	assert.Contains(t, marshal(t, r, sent), `"labels":{"$envelope":"x"}`)
	assert.Contains(t, marshal(t, r, sent), `"extra":{"$envelope":1,"type":"map[string]any","data":{"$envelope":1,`)
	assert.Equal(t, sent, roundTrip(t, r, sent))
}

func TestFormatKeyIsRecognisedByItsDecodedName(t *testing.T) {
	r := newShop(t)
	box := `{"\u0024envelope":1,"type":"shop.Box","data":{"Kilos":2}}`
	assert.Equal(t, []any{shopBox{2}}, receives[any](t, r, opened("[]any", "["+box+"]")))
	assert.Equal(t, shopBox{2}, receives[shopBox](t, r, box))
	for _, late := range []string{`{"a":1,"$envelope":1}`, `{"a":1,"\u0024envelope":1}`} {
		requireUnreadable[any](t, r, opened("[]any", "["+late+"]"), envelope.ErrMalformed,
			"[]any[0][…]: $envelope is not the first key")
	}
}

func TestOnlyTheOutermostEnvelopeHasEncodingOrRef(t *testing.T) {
	r := newShop(t)
	for _, nested := range []string{
		`{"$envelope":1,"type":"int","encoding":["zstd"],"data":"AA=="}`, `{"$envelope":1,"type":"int","ref":"` + emptyRef + `"}`,
	} {
		requireUnreadable[any](t, r, opened("[]any", "["+nested+"]"), envelope.ErrMalformed,
			"[]any[0]: nested envelope has an encoding or a ref")
		_, err := r.UnmarshalAny(context.Background(), nested)
		require.ErrorIs(t, err, envelope.ErrUnsupported)
	}
}
