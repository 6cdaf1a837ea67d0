package envelope_test

import (
	"context"
	"encoding/json"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// Types that the vectors are about. The comments of their registrations give their wire names.
type (
	vectorOrder struct {
		ID  string `json:"id"`
		Qty int    `json:"qty"`
	}
	vectorOrderV1 struct {
		Number int `json:"number"`
	}
	vectorStatus string
	vectorSecret struct{ Key string }
	vectorPrice  struct{ cents int64 }
	vectorShape  interface{ Area() float64 }
	vectorCircle struct {
		R float64 `json:"r"`
	}
	vectorDrawing struct {
		Title string         `json:"title"`
		Main  vectorShape    `json:"main"`
		Tags  []string       `json:"tags"`
		Extra map[string]any `json:"extra"`
	}
	vectorBase   struct{ ID int8 }
	vectorFields struct {
		vectorBase
		Status  vectorStatus
		Quoted  int64     `json:"quoted,string"`
		Phrase  string    `json:",string"`
		Real    float64   `json:",string"`
		Empty   []int     `json:"empty,omitempty"`
		Zero    time.Time `json:",omitzero"`
		Skipped int       `json:"-"`
		Angle   int       `json:"<&>"`
	}
	vectorReading struct{ Raw []byte }
)

func (c *vectorCircle) Area() float64 { return c.R * c.R * math.Pi }

// reversed is a codec that turns text around.
type reversed struct{}

func (reversed) Name() string { return "reversed" }

func (reversed) Marshal(v any) ([]byte, error) { return turned(v.(*vectorReading).Raw), nil }

func (reversed) Unmarshal(data []byte, v any) error {
	v.(*vectorReading).Raw = turned(data)
	return nil
}

func turned(data []byte) []byte {
	result := make([]byte, 0, len(data))
	for i := range data {
		result = append(result, data[len(data)-1-i])
	}
	return result
}

func vectorRegistry(t *testing.T, opts ...envelope.Option) *envelope.Registry {
	r := envelope.NewRegistry(opts...)
	toV2 := func(_ context.Context, old vectorOrderV1) (vectorOrder, error) {
		return vectorOrder{ID: strings.Repeat("o", old.Number), Qty: 1}, nil
	}
	toCents := func(_ context.Context, p vectorPrice) (int64, error) { return p.cents, nil }
	fromCents := func(_ context.Context, cents int64) (vectorPrice, error) { return vectorPrice{cents}, nil }
	require.NoError(t, envelope.RegisterInterface[vectorShape](r, "shapes.Shape"))
	require.NoError(t, envelope.Register[vectorOrder](r, "orders.Order", envelope.Version(2),
		envelope.Upgrade(1, toV2), envelope.Alias("old/Order")))
	require.NoError(t, envelope.Register[vectorSecret](r, "keys.Secret", envelope.StaticOnly()))
	require.NoError(t, envelope.Register[vectorPrice](r, "money.Price", envelope.Convert(toCents, fromCents)))
	require.NoError(t, envelope.Register[vectorCircle](r, "shapes.Circle"))
	require.NoError(t, envelope.Register[vectorDrawing](r, "shapes.Drawing"))
	require.NoError(t, envelope.Register[vectorFields](r, "tests.Fields"))
	require.NoError(t, envelope.Register[vectorReading](r, "sensors.Reading", envelope.UseCodec(reversed{})))
	require.NoError(t, r.Check())
	return r
}

var vectorNoon = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// vectorValues are the values that vectors stand for, by the Go expressions for them, in which types have their wire
// names.
var vectorValues = map[string]any{
	`nil`:                          nil,
	`true`:                         true,
	`"text"`:                       "text",
	`"\x00\b\t\n\f\r\x1f\"\\"`:     "\x00\b\t\n\f\r\x1f\"\\",
	`"<&>/\u007f\u2028é😀"`:         "<&>/\u007f\u2028é😀",
	`"{\"$envelope\":1}"`:          `{"$envelope":1}`,
	`int8(-128)`:                   int8(math.MinInt8),
	`int16(3)`:                     int16(3),
	`int32('x')`:                   'x',
	`int(-1)`:                      -1,
	`int64(-9223372036854775808)`:  int64(math.MinInt64),
	`uint8(255)`:                   uint8(255),
	`uint64(18446744073709551615)`: uint64(math.MaxUint64),
	`float64(0)`:                   0.0,
	`-0.0`:                         math.Copysign(0, -1),
	`float64(1)`:                   1.0,
	`0.1`:                          0.1,
	`float32(0.1)`:                 float32(0.1),
	`1e20`:                         1e20,
	`1e21`:                         1e21,
	`1e-6`:                         1e-6,
	`1.5e-7`:                       1.5e-7,
	`5e-324`:                       math.SmallestNonzeroFloat64,
	`math.NaN()`:                   math.NaN(),
	`math.Inf(1)`:                  math.Inf(1),
	`math.Inf(-1)`:                 math.Inf(-1),
	`float32(math.NaN())`:          float32(math.NaN()),
	`complex(1.5, math.Inf(-1))`:   complex(1.5, math.Inf(-1)),
	`2024-02-29 12:00:00 UTC`:      vectorNoon,
	`2024-02-29 12:00:00.5 +02:00`: time.Date(2024, 2, 29, 12, 0, 0, 500_000_000, time.FixedZone("", 2*60*60)),
	`0001-01-01 00:00:00 UTC`:      time.Time{},
	`90 * time.Second`:             90 * time.Second,
	`big.NewInt(-2^70)`:            new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 70)),
	`big.NewRat(2, 4)`:             big.NewRat(2, 4),
	`big.NewRat(-3, 1)`:            big.NewRat(-3, 1),
	`big.NewFloat(3)`:              big.NewFloat(3),
	`new(big.Float).SetPrec(10).SetMode(big.ToZero).SetInf(true)`: new(big.Float).SetPrec(10).SetMode(big.ToZero).SetInf(true),
	`new(big.Float)`: new(big.Float),
	`url.URL("https://u:p@example.org:80/a%2Fb?c=d#e")`: url.URL{
		Scheme: "https", User: url.UserPassword("u", "p"), Host: "example.org:80", Path: "/a/b", RawPath: "/a%2Fb",
		RawQuery: "c=d", Fragment: "e",
	},
	`netip.Addr("2001:db8::1")`:                         netip.MustParseAddr("2001:db8::1"),
	`netip.Addr{}`:                                      netip.Addr{},
	`netip.AddrPort("192.0.2.1:80")`:                    netip.MustParseAddrPort("192.0.2.1:80"),
	`netip.Prefix("192.0.2.0/24")`:                      netip.MustParsePrefix("192.0.2.0/24"),
	`json.RawMessage({"a": [1.50]})`:                    json.RawMessage(`{"a": [1.50]}`),
	`json.RawMessage(nil)`:                              json.RawMessage(nil),
	`json.Number("1.50")`:                               json.Number("1.50"),
	`json.Number("")`:                                   json.Number(""),
	`uuid.UUID("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")`: uuid.MustParse("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
	`[]byte{0, 255}`:                                    []byte{0, 255},
	`[]byte{}`:                                          []byte{},
	`[]byte(nil)`:                                       []byte(nil),
	`[3]byte{0, 1, 255}`:                                [3]byte{0, 1, 255},
	`[]int{1, 2}`:                                       []int{1, 2},
	`[]int{}`:                                           []int{},
	`[]int(nil)`:                                        []int(nil),
	`[]string{"a", ""}`:                                 []string{"a", ""},
	`[][]float64{nil, {}, {1.5}}`:                       [][]float64{nil, {}, {1.5}},
	`[0]bool{}`:                                         [0]bool{},
	`[2][1]bool{{true}, {false}}`:                       [2][1]bool{{true}, {false}},
	`map[string]int64{"b": 1, "a": 2, "é": 3, "Z": 4, "$envelope": 5}`: map[string]int64{"b": 1, "a": 2, "é": 3, "Z": 4, "$envelope": 5},
	`map[int16]bool{-2: true, 10: false, 9: true}`:                     map[int16]bool{-2: true, 10: false, 9: true},
	`map[bool]string{true: "t", false: "f"}`:                           map[bool]string{true: "t", false: "f"},
	`map[time.Time]uint8{noon: 1}`:                                     map[time.Time]uint8{vectorNoon: 1},
	`map[string]string(nil)`:                                           map[string]string(nil),
	`(*int64)(nil)`:                                                    (*int64)(nil),
	`pointer to int64(7)`:                                              pointerTo(int64(7)),
	`pointer to pointer to "text"`:                                     pointerTo(pointerTo("text")),
	`orders.Order{ID: "o-1", Qty: 3}`:                                  vectorOrder{ID: "o-1", Qty: 3},
	`orders.Order{ID: "oo", Qty: 1}`:                                   vectorOrder{ID: "oo", Qty: 1},
	`[]*orders.Order{nil, {ID: "o-1", Qty: 3}}`:                        []*vectorOrder{nil, {ID: "o-1", Qty: 3}},
	`[]orders.Order{{ID: "o", Qty: 1}}`:                                []vectorOrder{{ID: "o", Qty: 1}},
	`map[string]orders.Order{}`:                                        map[string]vectorOrder{},
	`(*orders.Order)(nil)`:                                             (*vectorOrder)(nil),
	`money.Price of 250 cents`:                                         vectorPrice{250},
	`[]money.Price of 1 and 2 cents`:                                   []vectorPrice{{1}, {2}},
	`keys.Secret{Key: "k"}`:                                            vectorSecret{Key: "k"},
	`strings.Repeat("text ", 40)`:                                      strings.Repeat("text ", 40),
	`sensors.Reading{Raw: "abc"}`:                                      vectorReading{Raw: []byte("abc")},
	`[]sensors.Reading{{Raw: "abc"}}`:                                  []vectorReading{{Raw: []byte("abc")}},
	`(*sensors.Reading)(nil)`:                                          (*vectorReading)(nil),
	`tests.Fields, all set`: vectorFields{
		vectorBase: vectorBase{ID: 1}, Status: "new", Quoted: -5, Phrase: `a"b`, Real: math.Inf(1), Empty: []int{1},
		Zero: vectorNoon, Angle: 2,
	},
	`tests.Fields{}`: vectorFields{},
	`[]any{nil, true, "a", 1.5, []any{}, map[string]any{}}`:              []any{nil, true, "a", 1.5, []any{}, map[string]any{}},
	`[]any{int64(1), math.NaN(), []any(nil), map[string]any(nil)}`:       []any{int64(1), math.NaN(), []any(nil), map[string]any(nil)},
	`map[string]any{"a": map[string]any{"$envelope": 1.0}}`:              map[string]any{"a": map[string]any{"$envelope": 1.0}},
	`[]any{[]byte{1}, [2]int8{}, (*orders.Order)(nil), []any{uint8(1)}}`: []any{[]byte{1}, [2]int8{}, (*vectorOrder)(nil), []any{uint8(1)}},
	`map[string]any{"$envelope": true}`:                                  map[string]any{"$envelope": true},
	`[]shapes.Shape{nil, *shapes.Circle{R: 2}, (*shapes.Circle)(nil)}`:   []vectorShape{nil, &vectorCircle{R: 2}, (*vectorCircle)(nil)},
	`the drawing of the specification`: vectorDrawing{
		Title: "Sun & moon", Main: &vectorCircle{R: 1.5},
		Extra: map[string]any{"count": int64(7), "at": vectorNoon, "list": []any{1.0, nil}},
	},
}

// vectorReceivers are the types of receivers, by their type expressions.
var vectorReceivers = map[string]reflect.Type{
	"any":              reflect.TypeFor[any](),
	"bool":             reflect.TypeFor[bool](),
	"string":           reflect.TypeFor[string](),
	"int8":             reflect.TypeFor[int8](),
	"int64":            reflect.TypeFor[int64](),
	"uint64":           reflect.TypeFor[uint64](),
	"float32":          reflect.TypeFor[float32](),
	"float64":          reflect.TypeFor[float64](),
	"complex128":       reflect.TypeFor[complex128](),
	"time.Time":        reflect.TypeFor[time.Time](),
	"big.Int":          reflect.TypeFor[big.Int](),
	"big.Rat":          reflect.TypeFor[big.Rat](),
	"big.Float":        reflect.TypeFor[big.Float](),
	"netip.Addr":       reflect.TypeFor[netip.Addr](),
	"json.Number":      reflect.TypeFor[json.Number](),
	"uuid.UUID":        reflect.TypeFor[uuid.UUID](),
	"[]uint8":          reflect.TypeFor[[]byte](),
	"[2]int8":          reflect.TypeFor[[2]int8](),
	"[]int":            reflect.TypeFor[[]int](),
	"map[string]int64": reflect.TypeFor[map[string]int64](),
	"map[int8]bool":    reflect.TypeFor[map[int8]bool](),
	"orders.Order":     reflect.TypeFor[vectorOrder](),
	"*orders.Order":    reflect.TypeFor[*vectorOrder](),
	"shapes.Shape":     reflect.TypeFor[vectorShape](),
	"shapes.Drawing":   reflect.TypeFor[vectorDrawing](),
	"tests.Fields":     reflect.TypeFor[vectorFields](),
	"sensors.Reading":  reflect.TypeFor[vectorReading](),
	"money.Price":      reflect.TypeFor[vectorPrice](),
}
