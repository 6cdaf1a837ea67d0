package envelope_test

import (
	"encoding/json"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

var (
	oddStrings = []string{
		"", "\x00", "\u2028\u2029", "<&>", `"`, `\`, "\u00e9", "\U0001F600", "\ufffd", "NaN", `"NaN"`,
		`{"$envelope":1}`, "0", "true",
	}
	finiteFloats = []float64{0, math.Copysign(0, -1), 1e21, 1e20, 1e-6, 1e-7, 0.1, 1 << 53, 3.4e38, -1.5}
	oddFloats    = append([]float64{math.NaN(), math.Inf(1), math.Inf(-1)}, finiteFloats...)
)

// plainTypes are those that stand in the empty interface as plain JSON.
var plainTypes = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[string](), reflect.TypeFor[float64](),
	reflect.TypeFor[[]any](), reflect.TypeFor[map[string]any](),
}

// namedTypes are those that an envelope has a name for, with figures registered.
var namedTypes = append([]reflect.Type{
	reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[uint64](), reflect.TypeFor[float32](),
	reflect.TypeFor[complex128](), reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](),
	reflect.TypeFor[*big.Int](), reflect.TypeFor[*big.Float](), reflect.TypeFor[big.Rat](), reflect.TypeFor[*url.URL](),
	reflect.TypeFor[json.Number](), reflect.TypeFor[uuid.UUID](), reflect.TypeFor[[]byte](), reflect.TypeFor[[3]byte](),
	reflect.TypeFor[[]int64](), reflect.TypeFor[[]string](), reflect.TypeFor[map[string]string](), reflect.TypeFor[[][]float64](),
	reflect.TypeFor[*any](), reflect.TypeFor[map[int8][]any](), reflect.TypeFor[map[bool]any](), reflect.TypeFor[*[]int](), reflect.TypeFor[**int](),
	reflect.TypeFor[Box](), reflect.TypeFor[*Box](), reflect.TypeFor[*Disc](), reflect.TypeFor[[]Box](),
	reflect.TypeFor[Sketch](), reflect.TypeFor[[]Figure](), reflect.TypeFor[map[time.Time]Box](),
}, plainTypes...)

var figureTypes = []reflect.Type{reflect.TypeFor[Box](), reflect.TypeFor[*Box](), reflect.TypeFor[*Disc]()}

// fillers make up values of types that are more than their kind.
var fillers = map[reflect.Type]func(t *rapid.T, v reflect.Value){
	reflect.TypeFor[time.Time]():       fillWith(drawTime),
	reflect.TypeFor[big.Int]():         fillWith(drawBigInt),
	reflect.TypeFor[big.Rat]():         fillWith(drawBigRat),
	reflect.TypeFor[big.Float]():       fillWith(drawBigFloat),
	reflect.TypeFor[url.URL]():         fillWith(drawURL),
	reflect.TypeFor[netip.Addr]():      fillWith(sampled(addresses)),
	reflect.TypeFor[netip.AddrPort]():  fillWith(drawAddrPort),
	reflect.TypeFor[netip.Prefix]():    fillWith(drawPrefix),
	reflect.TypeFor[json.Number]():     fillWith(sampled([]json.Number{"0", "-0", "1e400", "12345678901234567890", "1.50"})),
	reflect.TypeFor[json.RawMessage](): fillWith(drawRaw),
	reflect.TypeFor[Temperature]():     fillWith(func(t *rapid.T) Temperature { return Temperature{rapid.Int32().Draw(t, "milli")} }),
}

func fillWith[T any](draw func(t *rapid.T) T) func(t *rapid.T, v reflect.Value) {
	return func(t *rapid.T, v reflect.Value) { v.Set(reflect.ValueOf(draw(t))) }
}

func sampled[T any](values []T) func(t *rapid.T) T {
	return func(t *rapid.T) T { return rapid.SampledFrom(values).Draw(t, "sample") }
}

// drawTime makes up times of all years and offsets that RFC 3339 has.
func drawTime(t *rapid.T) time.Time {
	seconds := rapid.Int64Range(-62_000_000_000, 253_000_000_000).Draw(t, "seconds")
	nanoseconds := rapid.SampledFrom([]int64{0, 1, 120_000_000, 999_999_999}).Draw(t, "nanoseconds")
	minutes := rapid.SampledFrom([]int{0, 0, 120, -570, 23*60 + 59, -1}).Draw(t, "offset")
	if minutes == 0 {
		return time.Unix(seconds, nanoseconds).UTC()
	}
	return time.Unix(seconds, nanoseconds).In(time.FixedZone("", minutes*60))
}

func drawBigInt(t *rapid.T) big.Int {
	n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes"))
	if rapid.Bool().Draw(t, "negative") {
		n.Neg(n)
	}
	return *n
}

func drawBigRat(t *rapid.T) big.Rat {
	a, b := drawBigInt(t), drawBigInt(t)
	if b.Sign() == 0 {
		b.SetInt64(7)
	}
	return *new(big.Rat).SetFrac(&a, &b)
}

func drawBigFloat(t *rapid.T) big.Float {
	mantissa := drawBigInt(t)
	f := new(big.Float).SetPrec(uint(rapid.IntRange(1, 200).Draw(t, "precision")))
	f.SetMode(big.RoundingMode(rapid.IntRange(0, 5).Draw(t, "mode")))
	f.SetInt(&mantissa)
	f.SetMantExp(f, rapid.IntRange(-300, 300).Draw(t, "exponent"))
	switch rapid.IntRange(0, 9).Draw(t, "odd") {
	case 0:
		f.SetInf(rapid.Bool().Draw(t, "negative"))
	case 1:
		f.Neg(f.SetInt64(0))
	case 2:
		return big.Float{}
	}
	return *f
}

var addresses = []netip.Addr{
	{}, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::1%eth0"),
	netip.MustParseAddr("::ffff:1.2.3.4"), netip.MustParseAddr("::"),
}

func drawAddrPort(t *rapid.T) netip.AddrPort {
	addr := sampled(addresses)(t)
	if !addr.IsValid() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, rapid.Uint16().Draw(t, "port"))
}

func drawPrefix(t *rapid.T) netip.Prefix {
	addr := sampled(addresses)(t).WithZone("")
	if !addr.IsValid() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(addr, rapid.IntRange(0, addr.BitLen()).Draw(t, "bits"))
}

func drawURL(t *rapid.T) url.URL {
	text := sampled([]string{
		"", "/a%2Fb?c=d#e", "https://user:p%40ss@example.org:8080/x?q=%20#frag", "mailto:a@b", "//host", "?", "http://h/#",
		"http://[::1]:80/", "a/b",
	})(t)
	parsed, err := url.Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return *parsed
}

func drawRaw(t *rapid.T) json.RawMessage {
	return sampled([]json.RawMessage{
		json.RawMessage(`1`), json.RawMessage(`{"b":[1,2.50],"a":"\u00e9"}`), json.RawMessage(`"x"`), json.RawMessage(`[]`),
	})(t)
}
