package envelope_test

import (
	"context"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// requireLimit checks that text is refused for the limit, whoever reads it.
func requireLimit(t *testing.T, r *envelope.Registry, text, option string) {
	t.Helper()
	_, err := r.UnmarshalAny(context.Background(), text)
	require.ErrorIs(t, err, envelope.ErrLimit)
	require.ErrorContains(t, err, "limit exceeded: "+option)
}

func requireTooLarge(t *testing.T, r *envelope.Registry, v any, option string) {
	t.Helper()
	_, err := r.Marshal(context.Background(), v)
	require.ErrorIs(t, err, envelope.ErrLimit)
	require.ErrorContains(t, err, "limit exceeded: "+option)
}

func TestMaxBytes(t *testing.T) {
	sent := strings.Repeat("a", 100)
	text := marshal(t, newShop(t), sent)
	exact := newShop(t, envelope.MaxBytes(len(text)))
	assert.Equal(t, sent, roundTrip(t, exact, sent))
	requireTooLarge(t, exact, sent+"a", fmt.Sprintf("MaxBytes(%d)", len(text)))
	requireLimit(t, exact, text+" ", fmt.Sprintf("MaxBytes(%d)", len(text)))
}

func TestMaxBytesStopsValuesThatUnfold(t *testing.T) {
	var folded any = 1.0
	for range 100 {
		folded = []any{folded, folded}
	}
	requireTooLarge(t, newShop(t, envelope.MaxBytes(1<<16)), folded, "MaxBytes(65536)")
}

// nest puts a list in a list so many times.
func nest(depth int) any {
	var value any = []any{}
	for range depth - 1 {
		value = []any{value}
	}
	return value
}

func TestMaxDepth(t *testing.T) {
	r := newShop(t, envelope.MaxDepth(10))
	assert.Equal(t, nest(10), roundTripAny(t, r, nest(10)))
	requireTooLarge(t, r, nest(11), "MaxDepth(10)")
	requireLimit(t, r, opened("[]any", strings.Repeat("[", 11)+strings.Repeat("]", 11)), "MaxDepth(10)")
	requireLimit(t, r, opened("shop.Line", `{"unknown":`+strings.Repeat("[", 10)+strings.Repeat("]", 10)+"}"), "MaxDepth(10)")
	deep := newShop(t, envelope.MaxDepth(100_000))
	assert.NotNil(t, roundTripAny(t, deep, nest(100_000)))
}

func TestMaxDepthCountsEnvelopesAndStructs(t *testing.T) {
	var value any = shopOrder{}
	for range 6 {
		value = &shopOrder{Extra: value}
	}
	assert.NotNil(t, roundTripAny(t, newShop(t, envelope.MaxDepth(13)), value))
	requireTooLarge(t, newShop(t, envelope.MaxDepth(12)), value, "MaxDepth(12)")
	requireLimit(t, newShop(t, envelope.MaxDepth(12)), marshal(t, newShop(t), value), "MaxDepth(12)")
}

func TestMaxElements(t *testing.T) {
	r := newShop(t, envelope.MaxElements(5))
	for _, fits := range []any{
		[]int{1, 2, 3, 4, 5}, map[int]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5}, []any{[]any{nil, nil}, nil, nil}, [5]bool{},
		map[string]any{"a": []string{"", "", "", ""}}, []map[string]string{{"a": "", "b": "", "c": ""}, {}}, []byte("not elements"),
		[]complex128{1},
	} {
		assert.Equal(t, fits, roundTripAny(t, r, fits))
	}
	for _, tooMany := range []any{
		[]int{1, 2, 3, 4, 5, 6}, map[int]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6}, []any{[]any{nil, nil, nil}, nil, nil}, [6]bool{},
		map[string]any{"a": []string{"", "", "", "", ""}}, []map[string]string{{"a": "", "b": "", "c": "", "d": ""}, {}},
		[]complex128{1, 2}, []shopLine{{}, {}, {}, {}, {}, {}},
	} {
		requireTooLarge(t, r, tooMany, "MaxElements(5)")
		requireLimit(t, r, marshal(t, newShop(t), tooMany), "MaxElements(5)")
	}
}

func TestMaxDigits(t *testing.T) {
	r := newShop(t, envelope.MaxDigits(10))
	tenNines := new(big.Int).SetInt64(9_999_999_999)
	assert.Equal(t, tenNines, roundTrip(t, r, tenNines))
	assert.Equal(t, big.NewRat(-9_999_999_999, 9_999_999_998), roundTrip(t, r, big.NewRat(-9_999_999_999, 9_999_999_998)))
	tooLong := new(big.Int).SetInt64(100_000_000_000)
	requireTooLarge(t, r, tooLong, "MaxDigits(10)")
	requireTooLarge(t, r, new(big.Rat).SetFrac(big.NewInt(1), tooLong), "MaxDigits(10)")
	requireLimit(t, r, opened("big.Int", "-12345678901"), "MaxDigits(10)")
	requireLimit(t, r, opened("big.Rat", `"1/12345678901"`), "MaxDigits(10)")
}

func TestMaxTypeLengthAndDepth(t *testing.T) {
	r := newShop(t, envelope.MaxTypeLength(20), envelope.MaxTypeDepth(3))
	assert.Equal(t, []any{[][][]int{}}, roundTripAny(t, r, []any{[][][]int{}}))
	requireLimit(t, r, opened("[][][][]int", "[]"), "MaxTypeDepth(3)")
	requireLimit(t, r, opened("***[]int", "null"), "MaxTypeDepth(3)")
	requireTooLarge(t, r, [][][][]int{}, "MaxTypeDepth(3)")
	requireLimit(t, r, opened("map[string]shop.Line2", "{}"), "MaxTypeLength(20)")
	requireLimit(t, newShop(t), opened(strings.Repeat("*", 2000)+"int", "1"), "MaxTypeLength(1024)")
}

func TestMaxArrayLength(t *testing.T) {
	r := newShop(t, envelope.MaxArrayLength(6))
	assert.Equal(t, [2][3]int{}, receives[any](t, r, opened("[2][3]int", "[[0,0,0],[0,0,0]]")))
	requireLimit(t, r, opened("[7]int", "[0,0,0,0,0,0,0]"), "MaxArrayLength(6)")
	requireLimit(t, r, opened("[4][2]int", "[]"), "MaxArrayLength(6)")
	requireLimit(t, r, opened("[][1][7]int", "[]"), "MaxArrayLength(6)")
	assert.Equal(t, [7]int{}, receives[[7]int](t, r, opened("[7]int", "[0,0,0,0,0,0,0]")), "a static type is no matter of trust")
	requireTooLarge(t, r, []any{[7]int{}}, "MaxArrayLength(6)")
	requireTooLarge(t, r, []any{map[string]*[2][4]int{}}, "MaxArrayLength(6)")
}

func TestArraysFromMessagesTakeNoMemoryInAdvance(t *testing.T) {
	r := newShop(t)
	text := opened("[][65536][]any", "[[[]]]")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		_, err := r.UnmarshalAny(context.Background(), text)
		require.ErrorIs(t, err, envelope.ErrMalformed)
	}
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

func TestMaxTypes(t *testing.T) {
	r := newShop(t, envelope.MaxTypes(3))
	assert.Equal(t, [][]int{{1}}, receives[any](t, r, opened("[][]int", "[[1]]")))
	assert.Equal(t, [1]int{1}, receives[any](t, r, opened("[1]int", "[1]")))
	requireLimit(t, r, opened("[2]int", "[1,2]"), "MaxTypes(3)")
	assert.Equal(t, [][]int{{1}}, receives[any](t, r, opened("[][]int", "[[1]]")), "known types stay known")
	assert.Equal(t, any(map[int][]bool{}), roundTripAny(t, r, map[int][]bool{}), "types that the program itself uses do not count")
	require.NoError(t, envelope.Register[measurement](r, "lab.Measurement"))
	assert.Equal(t, [1]int{1}, receives[any](t, r, opened("[1]int", "[1]")), "a registration changes nothing")
	requireLimit(t, r, opened("[2]int", "[1,2]"), "MaxTypes(3)")
}

func TestMapKeysOfMessagesAreLimitedToThoseThatTextCarries(t *testing.T) {
	r := newShop(t)
	for name, text := range map[string]string{
		"shop.Line": "map keys of type envelope_test.shopLine cannot be carried",
		"float64":   "map keys of type float64 cannot be carried",
		"any":       "map keys of type interface {} cannot be carried",
	} {
		_, err := r.UnmarshalAny(context.Background(), opened("map["+name+"]int", "{}"))
		require.ErrorIs(t, err, envelope.ErrUnsupported)
		require.ErrorContains(t, err, text)
	}
	_, err := r.UnmarshalAny(context.Background(), opened("map[[]int]int", "{}"))
	require.ErrorIs(t, err, envelope.ErrMalformed)
}

func TestDeepInputIsAnsweredQuickly(t *testing.T) {
	r := newShop(t)
	deep := newShop(t, envelope.MaxDepth(1<<20))
	texts := []string{
		strings.Repeat("[", 60_000) + strings.Repeat("]", 60_000),
		strings.Repeat(`{"a":`, 24_000) + "1" + strings.Repeat("}", 24_000),
		strings.Repeat(opened("[]any", "["), 3_000) + strings.Repeat("]}", 3_000),
	}
	texts[2] = strings.ReplaceAll(texts[2], `"data":[}`, `"data":[`)
	for _, data := range texts {
		for _, registry := range []*envelope.Registry{r, deep} {
			start := time.Now()
			_, _ = registry.UnmarshalAny(context.Background(), opened("any", data))
			_, _ = envelope.Parse(opened("any", data))
			assert.Less(t, time.Since(start), 10*time.Second)
		}
	}
}
