package envelope_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// opened puts data in an envelope of the type.
func opened(typeName, data string) string {
	return `{"$envelope":1,"type":"` + typeName + `","data":` + data + `}`
}

func TestNullIsRefusedWhereNilCannotBe(t *testing.T) {
	r := newShop(t)
	mismatch := envelope.ErrTypeMismatch
	requireUnreadable[int](t, r, opened("int", "null"), mismatch, "int: expected a number, found null")
	requireUnreadable[string](t, r, opened("string", "null"), mismatch, "string: expected a string, found null")
	requireUnreadable[bool](t, r, opened("bool", "null"), mismatch, "bool: expected a boolean, found null")
	requireUnreadable[float64](t, r, opened("float64", "null"), mismatch, "float64: expected a number, found null")
	requireUnreadable[time.Time](t, r, opened("time.Time", "null"), mismatch, "time.Time: expected a string, found null")
	requireUnreadable[[2]int](t, r, opened("[2]int", "null"), mismatch, "[2]int: expected an array, found null")
	requireUnreadable[uuid.UUID](t, r, opened("uuid.UUID", "null"), mismatch, "uuid.UUID: expected a string, found null")
	requireUnreadable[big.Int](t, r, opened("big.Int", "null"), mismatch, "big.Int: expected a number, found null")
	requireUnreadable[shopOrder](t, r, opened("shop.Order", "null"), mismatch, "shop.Order: expected an object, found null")
	requireUnreadable[shopOrder](t, r, opened("shop.Order", `{"lines":[null]}`), mismatch,
		"shop.Order.Lines[0]: expected an object, found null")
	requireUnreadable[shopOrder](t, r, opened("*shop.Order", "null"), mismatch,
		"*shop.Order: null does not fit envelope_test.shopOrder")
	requireUnreadable[map[string]int](t, r, opened("*map[string]int", "null"), mismatch,
		"*map[string]int: null does not fit map[string]int")
}

func TestNumbersThatOverflowAreRefused(t *testing.T) {
	r := newShop(t)
	mismatch := envelope.ErrTypeMismatch
	requireUnreadable[int8](t, r, opened("int8", "300"), mismatch, "int8: number overflows int8")
	requireUnreadable[int8](t, r, opened("int8", "-129"), mismatch, "int8: number overflows int8")
	requireUnreadable[uint8](t, r, opened("uint8", "256"), mismatch, "uint8: number overflows uint8")
	requireUnreadable[uint](t, r, opened("uint", "-1"), mismatch, fmt.Sprintf("uint: number overflows uint%d", strconv.IntSize))
	requireUnreadable[[]int64](t, r, opened("[]int64", "[1,9223372036854775808]"), mismatch, "[]int64[1]: number overflows int64")
	requireUnreadable[uint64](t, r, opened("uint64", "18446744073709551616"), mismatch, "uint64: number overflows uint64")
	requireUnreadable[float32](t, r, opened("float32", "1e39"), mismatch, "float32: number overflows float32")
	requireUnreadable[float64](t, r, opened("float64", "1e309"), mismatch, "float64: number overflows float64")
	requireUnreadable[any](t, r, opened("any", "1e309"), mismatch, "any: number overflows float64")
	requireUnreadable[map[int8]int](t, r, opened("map[int8]int", `{"128":1}`), mismatch,
		"map[int8]int[…]: map key is not of type int8")
}

func TestWrongKindsAreRefused(t *testing.T) {
	r := newShop(t)
	mismatch := envelope.ErrTypeMismatch
	requireUnreadable[int](t, r, opened("int", "1.5"), mismatch, "int: expected a whole number")
	requireUnreadable[int](t, r, opened("int", "1e3"), mismatch, "int: expected a whole number")
	requireUnreadable[int](t, r, opened("int", `"1"`), mismatch, "int: expected a number, found a string")
	requireUnreadable[bool](t, r, opened("bool", "0"), mismatch, "bool: expected a boolean, found a number")
	requireUnreadable[string](t, r, opened("string", "[]"), mismatch, "string: expected a string, found an array")
	requireUnreadable[float64](t, r, opened("float64", `"nan"`), mismatch, "float64: expected a number, found a string")
	requireUnreadable[[]int](t, r, opened("[]int", "{}"), mismatch, "[]int: expected an array, found an object")
	requireUnreadable[map[string]int](t, r, opened("map[string]int", "[]"), mismatch,
		"map[string]int: expected an object, found an array")
	requireUnreadable[shopOrder](t, r, opened("shop.Order", "true"), mismatch, "shop.Order: expected an object, found a boolean")
	requireUnreadable[map[bool]int](t, r, opened("map[bool]int", `{"1":1}`), mismatch, "map[bool]int[…]: map key is not a boolean")
	requireUnreadable[shopPacking](t, r, opened("shop.Packing", `{"Kilos":1}`), mismatch,
		"shop.Packing: expected an envelope, found an object")
}

func TestArraysHaveToHaveTheirLength(t *testing.T) {
	r := newShop(t)
	requireUnreadable[[2]int](t, r, opened("[2]int", "[1]"), envelope.ErrTypeMismatch, "[2]int: array has 1 elements, not 2")
	requireUnreadable[[2]int](t, r, opened("[2]int", "[1,2,3]"), envelope.ErrTypeMismatch, "[2]int: array has more than 2 elements")
	requireUnreadable[[1]int](t, r, opened("[1]int", "[]"), envelope.ErrTypeMismatch, "[1]int: array has 0 elements, not 1")
	requireUnreadable[complex128](t, r, opened("complex128", "[1]"), envelope.ErrTypeMismatch,
		"complex128: array has 1 elements, not 2")
}

func TestDuplicateNamesAreRefused(t *testing.T) {
	r := newShop(t)
	duplicate := envelope.ErrMalformed
	requireUnreadable[shopLine](t, r, opened("shop.Line", `{"sku":"a","sku":"b"}`), duplicate, "shop.Line.SKU: duplicate name")
	requireUnreadable[shopLine](t, r, opened("shop.Line", `{"sku":"a","SKU":"b"}`), duplicate, "shop.Line.SKU: duplicate name")
	requireUnreadable[shopLine](t, r, opened("shop.Line", `{"x":1,"\u0078":2}`), duplicate, "shop.Line[…]: duplicate name")
	requireUnreadable[map[string]int](t, r, opened("map[string]int", `{"a":1,"\u0061":2}`), duplicate,
		"map[string]int[…]: duplicate name")
	requireUnreadable[map[string]string](t, r, opened("map[string]string", `{"a":"","a":""}`), duplicate,
		"map[string]string[…]: duplicate name")
	requireUnreadable[map[int]int](t, r, opened("map[int]int", `{"1":1,"01":2}`), duplicate, "map[int]int[…]: duplicate name")
	requireUnreadable[any](t, r, opened("[]any", `[{"a":1,"a":2}]`), duplicate, "[]any[0][…]: duplicate name")
}

func TestUnknownMembersAreIgnoredUnlessRefused(t *testing.T) {
	text := opened("shop.Line", `{"new":{"a":[1,"\u0041",null,true,-1.5e3]},"sku":"a","other":[]}`)
	var line shopLine
	require.NoError(t, newShop(t).Unmarshal(context.Background(), text, &line))
	assert.Equal(t, shopLine{SKU: "a"}, line)
	requireUnreadable[shopLine](t, newShop(t, envelope.RefuseUnknownMembers()), text, envelope.ErrTypeMismatch,
		"shop.Line[…]: no field for this member")
	requireUnreadable[shopLine](t, newShop(t), opened("shop.Line", `{"new":{"a":}}`), envelope.ErrMalformed,
		"shop.Line[…]: unexpected character")
}

func TestMalformedJSONIsRefused(t *testing.T) {
	r := newShop(t)
	for _, data := range []string{
		"", "}", "nul", "tru", "truefalse", "[1,]", "[1 2]", "[", "[1", `{"a"}`, `{"a":1,}`, `{a:1}`, `{"a" 1}`, `{"a":1`, "01", "-",
		"1.", ".5", "1e", "+1", "0x1", "1_0", `"`, `"\`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\ud800"`, `"\ud800\u0041"`, `"\udc00"`,
		"\"\x01\"", "\"\xff\"", "\"\xed\xa0\x80\"", "'a'", "/**/1", "NaN", "Infinity", "\x00", "1\x00", "\ufeff1",
	} {
		for _, typeName := range []string{"any", "shop.Line", "[]any", "json.RawMessage", "[]uint8", "map[string]string"} {
			var target any
			err := r.Unmarshal(context.Background(), opened(typeName, data), &target)
			require.Error(t, err, "%s: %q", typeName, data)
			require.Nil(t, target)
		}
		_, err := envelope.Parse(opened("any", data))
		require.ErrorIs(t, err, envelope.ErrMalformed, "%q", data)
	}
}

func TestWhiteSpaceIsReadBetweenTokens(t *testing.T) {
	r := newShop(t)
	text := " {\n\"$envelope\" :\t1 ,\r\n \"type\" : \"shop.Line\" , \"data\" : { \"sku\" : \"a\" , \"note\" : null , \"qty\" : 2 } } \n"
	var line shopLine
	require.NoError(t, r.Unmarshal(context.Background(), text, &line))
	assert.Equal(t, shopLine{SKU: "a", Qty: 2}, line)
	parsed, err := envelope.Parse(text)
	require.NoError(t, err)
	assert.Equal(t, "shop.Line", parsed.Type)
}

func TestStringsAreReadWithAllTheirEscapes(t *testing.T) {
	r := newShop(t)
	var text string
	require.NoError(t, r.Unmarshal(context.Background(), opened("string", `"\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00ö"`), &text))
	assert.Equal(t, "\"\\/\b\f\n\r\tä😀ö", text)
}

func TestStringsDoNotKeepTheInputAlive(t *testing.T) {
	r := newShop(t)
	input := opened("shop.Line", `{"sku":"abc"}`)
	var line shopLine
	require.NoError(t, r.Unmarshal(context.Background(), input, &line))
	assert.Equal(t, "abc", line.SKU)
	assert.Zero(t, testing.AllocsPerRun(10, func() { _ = strings.Contains(input, line.SKU) }))
}

func TestBase64IsStrict(t *testing.T) {
	r := newShop(t)
	malformed := envelope.ErrMalformed
	for _, data := range []string{`"AQI"`, `"AQI=="`, `"AQJ="`, `"AQ=I"`, `"A-_="`, `"AQI= "`, `"AQ\nI="`, `"*"`} {
		requireUnreadable[[]byte](t, r, opened("[]uint8", data), malformed, "[]uint8: invalid base64")
	}
	requireUnreadable[[]byte](t, r, opened("[]uint8", "\"AQ\nI=\""), malformed, "[]uint8: control character in a string")
	var data []byte
	require.NoError(t, r.Unmarshal(context.Background(), opened("[]byte", `"\u0041QI="`), &data))
	assert.Equal(t, []byte{1, 2}, data)
}

func TestTextOfLibraryTypesIsStrict(t *testing.T) {
	r := newShop(t)
	for _, text := range []string{
		"", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01t00:00:00Z", "2024-01-01 00:00:00Z", "2024-01-01T0:00:00Z",
		"2024-01-01T00:00:00,5Z", "2024-02-30T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:60Z",
		"2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00.0000000001Z", "2024-01-01T00:00:00z",
	} {
		requireUnreadable[time.Time](t, r, opened("time.Time", `"`+text+`"`), envelope.ErrTypeMismatch,
			"time.Time: expected a time as in RFC 3339")
	}
	for _, text := range []string{"1e9", "1/0", "1/-2", "0x1", "01", "+1", "1/", "/2", "1.5", "1/2/3", " 1", ""} {
		requireUnreadable[big.Rat](t, r, opened("big.Rat", `"`+text+`"`), envelope.ErrTypeMismatch,
			"big.Rat: expected a fraction of whole numbers")
	}
	for _, parts := range []string{
		`"1",64,"ToNearestEven"`, `"0x.8p+1",0,"ToNearestEven"`, `"0x.ffffp+1",2,"ToNearestEven"`, `"NaN",64,"ToNearestEven"`,
		`"--0",1,"ToNearestEven"`, `"0x_8p+1",64,"ToNearestEven"`, `"0x.8_8p+1",64,"ToNearestEven"`, `"0x8p+1",64,"ToNearestEven"`,
		`"0x.08p+1",64,"ToNearestEven"`, `"0x.80p+1",64,"ToNearestEven"`, `"0x.8p1",64,"ToNearestEven"`, `"0X.8p+1",64,"ToNearestEven"`,
		`"0x.Fp+1",64,"ToNearestEven"`, `"0x.8P+1",64,"ToNearestEven"`, `"0x.8",64,"ToNearestEven"`, `"0x.8p+",64,"ToNearestEven"`,
		`"0x.8p+1\n",64,"ToNearestEven"`, `"+0x.8p+1",64,"ToNearestEven"`, `"Inf",64,"ToNearestEven"`, `"0b1p+1",64,"ToNearestEven"`,
		`"0x.8p+1_0",64,"ToNearestEven"`, `"0x.8p+9999999999999999999",64,"ToNearestEven"`, `"+0",64,"ToNearestEven"`,
	} {
		requireUnreadable[big.Float](t, r, opened("big.Float", "["+parts+"]"), envelope.ErrTypeMismatch,
			"big.Float: expected a big.Float")
	}
	requireUnreadable[big.Float](t, r, opened("big.Float", `["0",1,"Up"]`), envelope.ErrTypeMismatch,
		"big.Float: expected a rounding mode")
	requireUnreadable[big.Int](t, r, opened("big.Int", "1e9"), envelope.ErrTypeMismatch, "big.Int: expected a whole number")
	requireUnreadable[url.URL](t, r, opened("url.URL", `"http://a b"`), envelope.ErrTypeMismatch, "url.URL: expected a URL")
	requireUnreadable[netip.Addr](t, r, opened("netip.Addr", `"1.2.3"`), envelope.ErrTypeMismatch,
		"netip.Addr: UnmarshalText of netip.Addr failed")
	requireUnreadable[json.Number](t, r, opened("json.Number", `"1"`), envelope.ErrTypeMismatch,
		"json.Number: expected a number, found a string")
}

func TestTargetsHaveToBePointers(t *testing.T) {
	r := newShop(t)
	for _, target := range []any{nil, shopLine{}, (*shopLine)(nil)} {
		err := r.Unmarshal(context.Background(), opened("shop.Line", "{}"), target)
		require.ErrorIs(t, err, envelope.ErrUnsupported)
		require.EqualError(t, err, "target is not a non-nil pointer: pass `&value`")
	}
}

func TestTargetsAreOverwrittenNotMerged(t *testing.T) {
	r := newShop(t)
	line := shopLine{SKU: "old", Qty: 9, Note: pointerTo("old")}
	require.NoError(t, r.Unmarshal(context.Background(), opened("shop.Line", `{"qty":1}`), &line))
	assert.Equal(t, shopLine{Qty: 1}, line)
	require.Error(t, r.Unmarshal(context.Background(), opened("shop.Line", `{"qty":2,"sku":1}`), &line))
	assert.Zero(t, line)
}
