package envelope_test

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"testing"

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
	exact := newShop(t, envelope.WithLimits(envelope.Limits{MaxBytes: len(text)}))
	assert.Equal(t, sent, roundTrip(t, exact, sent))
	requireTooLarge(t, exact, sent+"a", fmt.Sprintf("MaxBytes is %d", len(text)))
	requireLimit(t, exact, text+" ", fmt.Sprintf("MaxBytes is %d", len(text)))
}

func TestMaxBytesStopsValuesThatUnfold(t *testing.T) {
	var folded any = 1.0
	for range 100 {
		folded = []any{folded, folded}
	}
	requireTooLarge(t, newShop(t, envelope.WithLimits(envelope.Limits{MaxBytes: 1 << 16})), folded, "MaxBytes is 65536")
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
	r := newShop(t, envelope.WithLimits(envelope.Limits{MaxDepth: 10}))
	assert.Equal(t, nest(10), roundTripAny(t, r, nest(10)))
	requireTooLarge(t, r, nest(11), "MaxDepth is 10")
	requireLimit(t, r, opened("[]any", strings.Repeat("[", 11)+strings.Repeat("]", 11)), "MaxDepth is 10")
	requireLimit(t, r, opened("shop.Line", `{"unknown":`+strings.Repeat("[", 10)+strings.Repeat("]", 10)+"}"), "MaxDepth is 10")
	deep := newShop(t, envelope.WithLimits(envelope.Limits{MaxDepth: 100_000}))
	assert.NotNil(t, roundTripAny(t, deep, nest(100_000)))
}

func TestMaxDepthCountsEnvelopesAndStructs(t *testing.T) {
	var value any = shopOrder{}
	for range 6 {
		value = &shopOrder{Extra: value}
	}
	assert.NotNil(t, roundTripAny(t, newShop(t, envelope.WithLimits(envelope.Limits{MaxDepth: 13})), value))
	requireTooLarge(t, newShop(t, envelope.WithLimits(envelope.Limits{MaxDepth: 12})), value, "MaxDepth is 12")
	requireLimit(t, newShop(t, envelope.WithLimits(envelope.Limits{MaxDepth: 12})), marshal(t, newShop(t), value), "MaxDepth is 12")
}

func TestMaxBytesStopsListsBeforeTheyAreWritten(t *testing.T) {
	r := newShop(t, envelope.WithLimits(envelope.Limits{MaxBytes: 1 << 10}))
	used := allocated(func() { requireTooLarge(t, r, make([]bool, 16<<20), "MaxBytes is 1024") })
	assert.Less(t, used, 17<<20)
}

func TestMaxDigits(t *testing.T) {
	r := newShop(t, envelope.WithLimits(envelope.Limits{MaxDigits: 10}))
	tenNines := new(big.Int).SetInt64(9_999_999_999)
	assert.Equal(t, tenNines, roundTrip(t, r, tenNines))
	assert.Equal(t, big.NewRat(-9_999_999_999, 9_999_999_998), roundTrip(t, r, big.NewRat(-9_999_999_999, 9_999_999_998)))
	tooLong := new(big.Int).SetInt64(100_000_000_000)
	requireTooLarge(t, r, tooLong, "MaxDigits is 10")
	requireTooLarge(t, r, new(big.Rat).SetFrac(big.NewInt(1), tooLong), "MaxDigits is 10")
	requireLimit(t, r, opened("big.Int", "-12345678901"), "MaxDigits is 10")
	requireLimit(t, r, opened("big.Rat", `"1/12345678901"`), "MaxDigits is 10")
}

func TestMaxTypeLengthAndDepth(t *testing.T) {
	r := newShop(t, envelope.WithLimits(envelope.Limits{MaxTypeLength: 20, MaxTypeDepth: 3}))
	assert.Equal(t, []any{[][][]int{}}, roundTripAny(t, r, []any{[][][]int{}}))
	requireLimit(t, r, opened("[][][][]int", "[]"), "MaxTypeDepth is 3")
	requireLimit(t, r, opened("***[]int", "null"), "MaxTypeDepth is 3")
	requireTooLarge(t, r, [][][][]int{}, "MaxTypeDepth is 3")
	requireLimit(t, r, opened("map[string]shop.Line2", "{}"), "MaxTypeLength is 20")
	requireLimit(t, newShop(t), opened(strings.Repeat("*", 2000)+"int", "1"), "MaxTypeLength is 1024")
}

func TestMaxArrayLength(t *testing.T) {
	r := newShop(t, envelope.WithLimits(envelope.Limits{MaxArrayLength: 6}))
	assert.Equal(t, [2][3]int{}, receives[any](t, r, opened("[2][3]int", "[[0,0,0],[0,0,0]]")))
	requireLimit(t, r, opened("[7]int", "[0,0,0,0,0,0,0]"), "MaxArrayLength is 6")
	requireLimit(t, r, opened("[4][2]int", "[]"), "MaxArrayLength is 6")
	requireLimit(t, r, opened("[][1][7]int", "[]"), "MaxArrayLength is 6")
	assert.Equal(t, [7]int{}, receives[[7]int](t, r, opened("[7]int", "[0,0,0,0,0,0,0]")), "a static type is no matter of trust")
	requireTooLarge(t, r, []any{[7]int{}}, "MaxArrayLength is 6")
	requireTooLarge(t, r, []any{map[string]*[2][4]int{}}, "MaxArrayLength is 6")
}

func TestArraysFromMessagesTakeNoMemoryInAdvance(t *testing.T) {
	r := newShop(t)
	text := opened("[][65536][]any", "[[[]]]")
	used := allocated(func() {
		for range 10 {
			_, err := r.UnmarshalAny(context.Background(), text)
			require.ErrorIs(t, err, envelope.ErrMalformed)
		}
	})
	assert.Less(t, used, 1<<20)
}

func TestMaxTypes(t *testing.T) {
	r := newShop(t, envelope.WithLimits(envelope.Limits{MaxTypes: 2}))
	assert.Equal(t, [][]int{{1}}, receives[any](t, r, opened("[][]int", "[[1]]")))
	assert.Equal(t, [1]int{1}, receives[any](t, r, opened("[1]int", "[1]")))
	requireLimit(t, r, opened("[2]int", "[1,2]"), "MaxTypes is 2")
	assert.Equal(t, [][]int{{1}}, receives[any](t, r, opened("[][]int", "[[1]]")), "known types stay known")
	assert.Equal(t, any(map[int][]bool{}), roundTripAny(t, r, map[int][]bool{}), "types that the program itself uses do not count")
	require.NoError(t, envelope.Register[measurement](r, "lab.Measurement"))
	assert.Equal(t, [1]int{1}, receives[any](t, r, opened("[1]int", "[1]")), "a registration changes nothing")
	requireLimit(t, r, opened("[2]int", "[1,2]"), "MaxTypes is 2")
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

func TestDeepInputTakesWorkInProportionToItsLength(t *testing.T) {
	r := newShop(t)
	deep := newShop(t, envelope.WithLimits(envelope.Limits{MaxDepth: 1 << 20}))
	texts := []string{
		strings.Repeat("[", 60_000) + strings.Repeat("]", 60_000),
		strings.Repeat(`{"a":`, 24_000) + "1" + strings.Repeat("}", 24_000),
		strings.Repeat(opened("[]any", "["), 3_000) + strings.Repeat("]}", 3_000),
	}
	texts[2] = strings.ReplaceAll(texts[2], `"data":[}`, `"data":[`)
	for _, data := range texts {
		text := opened("any", data)
		for _, registry := range []*envelope.Registry{r, deep} {
			used := allocated(func() {
				work, _ := envelope.WorkOf(registry, text)
				assert.LessOrEqual(t, work, 2*len(text))
				_, _ = envelope.Parse(text)
			})
			assert.Less(t, used, 256*len(text))
		}
	}
}

func TestLimitsThatAreZeroAreTheDefaults(t *testing.T) {
	t.Parallel()
	r := newShop(t, envelope.WithLimits(envelope.Limits{MaxDigits: 2}))
	assert.Equal(t, nest(envelope.DefaultMaxDepth), roundTripAny(t, r, nest(envelope.DefaultMaxDepth)))
	requireTooLarge(t, r, nest(envelope.DefaultMaxDepth+1), "MaxDepth is 1000, see envelope.WithLimits")
	requireTooLarge(t, r, big.NewInt(100), "MaxDigits is 2, see envelope.WithLimits")
}

func TestNegativeLimitsAreRefusedByName(t *testing.T) {
	t.Parallel()
	for field, limits := range map[string]envelope.Limits{
		"MaxBytes": {MaxBytes: -1}, "MaxDepth": {MaxDepth: -1}, "MaxMemory": {MaxMemory: -1}, "MaxDigits": {MaxDigits: -1},
		"MaxTypeLength": {MaxTypeLength: -1}, "MaxTypeDepth": {MaxTypeDepth: -1}, "MaxArrayLength": {MaxArrayLength: -1},
		"MaxTypes": {MaxTypes: -1}, "MaxNewTypes": {MaxNewTypes: -1},
	} {
		r := envelope.NewRegistry(envelope.WithLimits(limits))
		_, sending := r.Marshal(t.Context(), 1)
		_, receiving := r.UnmarshalAny(t.Context(), opened("int", "1"))
		_, showing := r.Inspect(t.Context(), opened("int", "1"))
		for _, err := range []error{envelope.Register[shopLine](r, "shop.Line"), r.Check(), sending, receiving, showing} {
			require.ErrorIs(t, err, envelope.ErrRegistration)
			require.ErrorContains(t, err, "WithLimits: "+field+" is negative: -1")
		}
	}
}
