package envelope_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// poison is a message that names so many types that nobody uses, beginning with arrays of the given length.
func poison(from, types int) string {
	return opened("[]any", listed("[", "]", types, func(i int) string {
		return opened(fmt.Sprintf("[]*[%d]bool", from+i), "[]")
	}))
}

func TestOneMessageCannotUseUpTheTypes(t *testing.T) {
	t.Parallel()
	r := newShop(t)
	requireLimit(t, r, poison(1, 500), "MaxNewTypes is 32")
	assert.Equal(t, [][]shopLine{}, receives[any](t, r, opened("[][]shop.Line", "[]")))
	few := newShop(t, envelope.WithLimits(envelope.Limits{MaxNewTypes: 2}))
	requireLimit(t, few, opened("[][]**int", "[]"), "MaxNewTypes is 2")
	assert.Equal(t, [][]int{}, receives[any](t, few, opened("[][]int", "[]")))
}

func TestKnownTypesWorkWhenTheTypesAreUsedUp(t *testing.T) {
	t.Parallel()
	r := newShop(t)
	roundTripAny(t, r, []map[string]shopLine{{"a": {}}})
	for message, used := 0, false; !used; message++ {
		_, err := r.UnmarshalAny(t.Context(), poison(1+message*8, 8))
		used = err != nil
	}
	requireLimit(t, r, opened("[]*bool", "[]"), "MaxTypes is 1024")
	for _, sent := range []any{
		&shopLine{SKU: "a"}, []shopLine{{SKU: "a"}}, map[string]shopLine{"a": {}}, []map[string]shopLine{{"a": {}}}, []*bool{},
		[]string{"a"}, map[string]int{"a": 1}, []any{&shopLine{}},
	} {
		assert.Equal(t, sent, roundTripAny(t, r, sent), "%T", sent)
	}
	for expression, want := range map[string]any{
		"*shop.Order": (*shopOrder)(nil), "[]shop.Order": []shopOrder(nil), "map[string]shop.Order": map[string]shopOrder(nil),
		"*uint16": (*uint16)(nil), "[]complex64": []complex64(nil), "map[string]bool": map[string]bool(nil),
	} {
		assert.Equal(t, want, receives[any](t, r, opened(expression, "null")), expression)
	}
}

func TestNullsThatFitNothingMakeNoTypes(t *testing.T) {
	t.Parallel()
	r := newShop(t, envelope.WithLimits(envelope.Limits{MaxTypes: 1}))
	for length := range 100 {
		_, err := r.UnmarshalAny(t.Context(), opened(fmt.Sprintf("[%d]bool", length), " null"))
		require.ErrorIs(t, err, envelope.ErrTypeMismatch)
		_, err = r.UnmarshalAny(t.Context(), opened("[]any", "["+opened(fmt.Sprintf("[%d][]shop.Line", length), "null")+"]"))
		require.ErrorIs(t, err, envelope.ErrTypeMismatch)
		assert.Nil(t, receives[[][][]int](t, r, opened("[][][]int", "null")), "the receiver's own type")
	}
	assert.Equal(t, [3]bool{}, receives[any](t, r, opened("[3]bool", "[false,false,false]")))
}
