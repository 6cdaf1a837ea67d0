package envelope_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

func TestNilAndEmptyDiffer(t *testing.T) {
	type containers struct {
		Bytes    []byte
		Strings  []string
		Ints     []int16
		Lines    []shopLine
		Anys     []any
		Map      map[string]int
		AnyMap   map[string]any
		Strung   map[string]string
		Raw      json.RawMessage
		Pointer  *shopLine
		Nested   [][]string
		Any      any
		Interior *[]int
	}
	r := newShop(t)
	require.NoError(t, envelope.Register[containers](r, "test.Containers"))
	empty := containers{
		Bytes: []byte{}, Strings: []string{}, Ints: []int16{}, Lines: []shopLine{}, Anys: []any{},
		Map: map[string]int{}, AnyMap: map[string]any{}, Strung: map[string]string{}, Raw: json.RawMessage(`""`),
		Pointer: &shopLine{}, Nested: [][]string{nil, {}}, Any: []string{}, Interior: &[]int{},
	}
	assert.Equal(t, containers{}, roundTrip(t, r, containers{}))
	assert.Equal(t, empty, roundTrip(t, r, empty))
}

func TestIntegersKeepEveryBit(t *testing.T) {
	r := newShop(t)
	for _, sent := range []any{
		int8(math.MinInt8), int16(math.MinInt16), int32(math.MinInt32), int64(math.MinInt64), math.MinInt,
		int8(math.MaxInt8), int16(math.MaxInt16), int32(math.MaxInt32), int64(math.MaxInt64), math.MaxInt,
		uint8(math.MaxUint8), uint16(math.MaxUint16), uint32(math.MaxUint32), uint64(math.MaxUint64), uint(math.MaxUint),
		uintptr(math.MaxUint), int64(1<<53 + 1), 'x',
	} {
		assert.Equal(t, sent, roundTripAny(t, r, sent))
		assert.Equal(t, []any{sent}, roundTripAny(t, r, []any{sent}), "inside the empty interface")
	}
}

func TestFloatsKeepEveryBit(t *testing.T) {
	r := newShop(t)
	for _, sent := range []float64{
		0, math.Copysign(0, -1), 1, -1.5, 0.1, 1e20, 1e21, 1e-6, 1e-7, 1.5e-9, math.MaxFloat64, math.SmallestNonzeroFloat64,
		math.Inf(1), math.Inf(-1), math.NaN(), 123456789.125,
	} {
		requireSame(t, sent, roundTrip(t, r, sent))
		requireSame(t, float32(sent), roundTrip(t, r, float32(sent)))
		requireSame(t, []any{sent, float32(sent)}, roundTripAny(t, r, []any{sent, float32(sent)}))
		requireSame(t, []float64{sent}, roundTrip(t, r, []float64{sent}))
		requireSame(t, []float32{float32(sent)}, roundTrip(t, r, []float32{float32(sent)}))
		requireSame(t, complex(1, sent), roundTrip(t, r, complex(1, sent)))
		requireSame(t, complex(float32(sent), 2), roundTrip(t, r, complex(float32(sent), 2)))
	}
}

func TestTimesKeepInstantAndOffset(t *testing.T) {
	r := newShop(t)
	helsinki := time.FixedZone("EET", 2*60*60)
	for name, c := range map[string]struct{ sent, want time.Time }{
		"UTC":           {time.Date(2024, 2, 29, 23, 59, 59, 999999999, time.UTC), time.Date(2024, 2, 29, 23, 59, 59, 999999999, time.UTC)},
		"zero":          {time.Time{}, time.Time{}},
		"named zone":    {time.Date(2024, 1, 2, 3, 4, 5, 0, helsinki), time.Date(2024, 1, 2, 3, 4, 5, 0, time.FixedZone("", 2*60*60))},
		"offset zero":   {time.Date(2024, 1, 2, 3, 4, 5, 6, time.FixedZone("GMT", 0)), time.Date(2024, 1, 2, 3, 4, 5, 6, time.UTC)},
		"negative":      {time.Date(2024, 1, 2, 3, 4, 5, 0, time.FixedZone("", -(9*60+30)*60)), time.Date(2024, 1, 2, 3, 4, 5, 0, time.FixedZone("", -(9*60+30)*60))},
		"year zero":     {time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)},
		"last year":     {time.Date(9999, 12, 31, 23, 59, 59, 1, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 1, time.UTC)},
		"not monotonic": {time.Unix(1700000000, 5).UTC(), time.Unix(1700000000, 5).UTC()},
	} {
		assert.Equal(t, c.want, roundTrip(t, r, c.sent), name)
		assert.Equal(t, []any{c.want}, roundTripAny(t, r, []any{c.sent}), name)
	}
	now := time.Now()
	arrived := roundTrip(t, r, now)
	assert.True(t, now.Equal(arrived))
	assert.NotSame(t, time.Local, arrived.Location())
}

func TestEmbeddedTimesAreNeverLocal(t *testing.T) {
	type stamp struct{ time.Time }
	r := newShop(t)
	require.NoError(t, envelope.Register[stamp](r, "test.Stamp"))
	_, offset := time.Now().Zone()
	arrived := roundTrip(t, r, stamp{time.Now()})
	if offset == 0 {
		assert.Equal(t, time.UTC, arrived.Location())
		return
	}
	assert.NotEqual(t, time.Local, arrived.Location())
}

func TestBigNumbersKeepTheirValue(t *testing.T) {
	type numbers struct {
		Int       big.Int
		IntAt     *big.Int
		Rat       big.Rat
		RatAt     *big.Rat
		Float     big.Float
		FloatAt   *big.Float
		InAny     any
		NilInAny  any
		NilFloats []*big.Float
	}
	r := newShop(t)
	require.NoError(t, envelope.Register[numbers](r, "test.Numbers"))
	huge, ok := new(big.Int).SetString("-123456789012345678901234567890123456789", 10)
	require.True(t, ok)
	third := new(big.Float).SetPrec(200).SetMode(big.ToZero).Quo(big.NewFloat(1), big.NewFloat(3))
	sent := numbers{
		Int: *huge, IntAt: new(big.Int), Rat: *big.NewRat(-22, 7), RatAt: big.NewRat(4, 1),
		Float: *third, FloatAt: new(big.Float).SetInf(true), InAny: third, NilInAny: (*big.Int)(nil),
		NilFloats: []*big.Float{nil, new(big.Float), new(big.Float).Neg(new(big.Float)), new(big.Float).SetPrec(5)},
	}
	arrived := roundTrip(t, r, sent)
	requireSame(t, sent, arrived)
	assert.Equal(t, big.ToZero, arrived.Float.Mode())
	assert.Equal(t, uint(200), arrived.Float.Prec())
	assert.True(t, arrived.NilFloats[2].Signbit())
}

func TestExponentsHaveTheBoundsOfDigits(t *testing.T) {
	r := newShop(t)
	const largest = envelope.DefaultMaxDigits * 1000 / 301
	for _, exponent := range []int{largest, -largest} {
		sent := new(big.Float).SetMantExp(big.NewFloat(0.75), exponent)
		assert.Zero(t, sent.Cmp(roundTrip(t, r, sent)))
	}
	for _, exponent := range []int{largest + 1, -largest - 1, math.MaxInt32 - 10} {
		requireTooLarge(t, r, new(big.Float).SetMantExp(big.NewFloat(0.75), exponent), "MaxDigits is 20000")
		requireLimit(t, r, opened("big.Float", fmt.Sprintf(`["0x.cp%+d",53,"ToZero"]`, exponent)), "MaxDigits is 20000")
	}
	requireTooLarge(t, r, new(big.Float).SetPrec(uint(largest)+1), "MaxDigits is 20000")
	requireLimit(t, r, opened("big.Float", `["0",4294967295,"ToZero"]`), "MaxDigits is 20000")
}

func TestNamedTypesOfTheLibraryNeedNoRegistration(t *testing.T) {
	r := envelope.NewRegistry()
	address, err := url.Parse("https://user:pa%20ss@example.com:8080/a%2Fb/c?q=1&q=2#frag%20ment")
	require.NoError(t, err)
	for _, sent := range []any{
		90 * time.Second, *address, address, url.URL{},
		netip.Addr{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("::ffff:192.0.2.1"),
		netip.AddrPort{}, netip.MustParseAddrPort("[2001:db8::1]:443"), netip.Prefix{}, netip.MustParsePrefix("10.0.0.0/8"),
		uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), uuid.Nil,
		json.Number(""), json.Number("-12.50e+3"), json.RawMessage(`{"a": [1, 2 ]}`), json.RawMessage(nil),
		[]byte{0, 255}, [3]byte{1, 2, 3}, [0]int{}, []time.Duration{1, -1}, map[uuid.UUID]int{uuid.Nil: 1},
	} {
		assert.Equal(t, sent, roundTripAny(t, r, sent))
		assert.Equal(t, []any{sent}, roundTripAny(t, r, []any{sent}))
	}
}

func TestRawMessagesTravelVerbatim(t *testing.T) {
	r := envelope.NewRegistry()
	raw := json.RawMessage("{\"b\" : 1,\n\"a\":\"\\u0041\",\"b\":2}")
	assert.Equal(t, `{"$envelope":1,"type":"json.RawMessage","data":`+string(raw)+`}`, marshal(t, r, raw))
	assert.Equal(t, raw, roundTrip(t, r, raw))
}

func TestMapKeysOfEveryKindThatTextCanCarry(t *testing.T) {
	type level int8
	type flag bool
	r := newShop(t)
	noon := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, sent := range []any{
		map[string]int{"": 1, "a\"b\n": 2, "ü": 3}, map[int]string{-1: "a", 10: "b", 9: "c"},
		map[uint64]bool{math.MaxUint64: true}, map[bool]int{true: 1, false: 0}, map[int8][]int{-128: {1}},
		map[netip.Addr]int{netip.MustParseAddr("::1"): 1}, map[time.Time]string{noon: "noon"},
		map[time.Duration]int{time.Second: 1}, map[json.Number]int{"1": 2},
	} {
		assert.Equal(t, sent, roundTripAny(t, r, sent))
	}
	assert.Equal(t, map[level]flag{-3: true}, roundTrip(t, r, map[level]flag{-3: true}))
	assert.Equal(t, map[flag]level{true: -3}, roundTrip(t, r, map[flag]level{true: -3}))
}

func TestMapKeysAreSorted(t *testing.T) {
	r := envelope.NewRegistry()
	for _, sent := range []any{
		map[string]int{"b": 2, "a": 1, "c": 3, "B": 0},
		map[string]any{"b": 2.0, "a": 1.0, "c": 3.0, "B": 0.0},
	} {
		assert.Contains(t, marshal(t, r, sent), `{"B":0,"a":1,"b":2,"c":3}`)
	}
	assert.Contains(t, marshal(t, r, map[string]string{"b": "", "a": "", "c": ""}), `{"a":"","b":"","c":""}`)
	assert.Contains(t, marshal(t, r, map[int]int{10: 0, 9: 0, -1: 0}), `{"-1":0,"10":0,"9":0}`)
}

func TestNamedBasicTypesAreErasedAtStaticPositions(t *testing.T) {
	r := newShop(t)
	text := marshal(t, r, shopOrder{Status: "open"})
	assert.Contains(t, text, `"status":"open"`)
	assert.Equal(t, `{"$envelope":1,"type":"[]string","data":["open"]}`, marshal(t, r, []shopStatus{"open"}))
	assert.Equal(t, []shopStatus{"open"}, roundTrip(t, r, []shopStatus{"open"}))
	arrived, err := r.UnmarshalAny(context.Background(), marshal(t, r, []shopStatus{"open"}))
	require.NoError(t, err)
	assert.Equal(t, []string{"open"}, arrived)
}

func TestErasedTypesDoNotChangeWhatMessagesMean(t *testing.T) {
	r := newShop(t)
	marshal(t, r, []shopStatus{"first of its expression"})
	arrived, err := r.UnmarshalAny(context.Background(), `{"$envelope":1,"type":"[]string","data":["a"]}`)
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, arrived)
}

func TestTypedNilsInInterfacesKeepTheirType(t *testing.T) {
	r := newShop(t)
	for _, sent := range []any{
		nil, (*shopOrder)(nil), []int(nil), []any(nil), map[string]any(nil), map[string]string(nil), []byte(nil), (**int)(nil),
	} {
		assert.Equal(t, sent, roundTripAny(t, r, sent))
		assert.Equal(t, []any{sent}, roundTripAny(t, r, []any{sent}))
	}
}

func TestEverythingComesBackInTheEmptyInterface(t *testing.T) {
	r := newShop(t)
	sent := map[string]any{
		"plain":     []any{nil, true, "text", 1.5, []any{}, map[string]any{"a": nil}},
		"line":      shopLine{SKU: "a", Note: pointerTo("n")},
		"at":        &shopOrder{Lines: []shopLine{}, Extra: []any{shopBox{1}}},
		"lines":     []shopLine{{SKU: "b"}},
		"by number": map[int]*shopLine{1: nil, 2: {}},
		"array":     [2][]shopBox{nil, {}},
		"lookalike": map[string]any{"$envelope": 1.0, "type": "shop.Order"},
		"deep":      []any{[]any{[]any{int64(1)}}},
		"price":     shopPrice{cents: 5},
		"duration":  time.Minute,
		"packings":  []shopPacking{shopBox{2}, nil, &shopEnvelop{3}},
	}
	assert.Equal(t, sent, roundTripAny(t, r, sent))
}

func TestStructsKeepMoreThanSixtyFourFields(t *testing.T) {
	type wide struct {
		A00, A01, A02, A03, A04, A05, A06, A07, A08, A09, A10, A11, A12, A13, A14, A15, A16, A17, A18, A19 int
		B00, B01, B02, B03, B04, B05, B06, B07, B08, B09, B10, B11, B12, B13, B14, B15, B16, B17, B18, B19 int
		C00, C01, C02, C03, C04, C05, C06, C07, C08, C09, C10, C11, C12, C13, C14, C15, C16, C17, C18, C19 int
		D00, D01, D02, D03, D04, D05, D06, D07, D08, D09, D10, D11, D12, D13, D14, D15, D16, D17, D18, D19 int
	}
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[wide](r, "test.Wide"))
	sent := wide{A00: 1, B19: 2, C05: 3, D18: 4, D19: 5}
	assert.Equal(t, sent, roundTrip(t, r, sent))
	requireUnreadable[wide](t, r, `{"$envelope":1,"type":"test.Wide","data":{"D19":1,"d19":2}}`,
		envelope.ErrMalformed, "test.Wide.D19: duplicate name")
}

func TestRecursiveAndGenericTypes(t *testing.T) {
	type tree struct {
		Value    int
		Children []*tree
		ByName   map[string]tree
	}
	type forest []forest
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[tree](r, "test.Tree"))
	require.NoError(t, envelope.Register[forest](r, "test.Forest"))
	require.NoError(t, envelope.Register[page[tree]](r, "test.TreePage"))
	require.NoError(t, envelope.Register[page[page[int]]](r, "test.PagePage"))
	leaf := &tree{Value: 2, Children: []*tree{nil}}
	sent := tree{Value: 1, Children: []*tree{leaf, leaf}, ByName: map[string]tree{"x": *leaf}}
	assert.Equal(t, sent, roundTrip(t, r, sent))
	assert.Equal(t, forest{{}, nil, {{}}}, roundTrip(t, r, forest{{}, nil, {{}}}))
	assert.Equal(t, page[tree]{Items: []tree{sent}}, roundTripAny(t, r, page[tree]{Items: []tree{sent}}))
	assert.Equal(t, page[page[int]]{Items: []page[int]{{Items: []int{1}}}}, roundTrip(t, r, page[page[int]]{Items: []page[int]{{Items: []int{1}}}}))
}

type page[T any] struct {
	Items []T
	Next  *page[T]
}
