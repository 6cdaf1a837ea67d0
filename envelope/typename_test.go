package envelope_test

import (
	"encoding/json"
	"math/big"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

func TestTypeNames(t *testing.T) {
	t.Parallel()
	type tags []shopStatus
	type anything any
	r := newShop(t)
	for want, goType := range map[string]reflect.Type{
		"shop.Order":                     typeOf[shopOrder](),
		"*shop.Order":                    typeOf[*shopOrder](),
		"[]shop.Order":                   typeOf[[]shopOrder](),
		"[4]*shop.Order":                 typeOf[[4]*shopOrder](),
		"map[string][]shop.Order":        typeOf[map[string][]shopOrder](),
		"map[string]int64":               typeOf[map[string]int64](),
		"shop.Packing":                   typeOf[shopPacking](),
		"[]shop.Packing":                 typeOf[[]shopPacking](),
		"any":                            typeOf[any](),
		"[]any":                          typeOf[[]any](),
		"map[int]any":                    typeOf[map[int]anything](),
		"[]string":                       typeOf[[]shopStatus](),
		"map[string][]string":            typeOf[map[shopStatus]tags](),
		"*[][]string":                    typeOf[*[]tags](),
		"[]uint8":                        typeOf[[]byte](),
		"[]int32":                        typeOf[[]rune](),
		"time.Time":                      typeOf[time.Time](),
		"[]time.Duration":                typeOf[[]time.Duration](),
		"*big.Int":                       typeOf[*big.Int](),
		"map[uuid.UUID]json.RawMessage":  typeOf[map[uuid.UUID]json.RawMessage](),
		"shop.Price":                     typeOf[shopPrice](),
		"complex128":                     typeOf[complex128](),
		"map[bool]map[uint16]shop.Price": typeOf[map[bool]map[uint16]shopPrice](),
	} {
		name, err := r.TypeName(goType)
		require.NoError(t, err, goType)
		assert.Equal(t, want, name)
	}
}

func TestTypeNamesAreWhatMarshalWrites(t *testing.T) {
	t.Parallel()
	r := newShop(t)
	for _, v := range []any{1, "x", shopOrder{}, &shopOrder{}, []shopStatus{}, map[string]*shopLine{}, []shopPacking{}, nil} {
		name, err := r.TypeName(reflect.TypeOf(v))
		require.NoError(t, err)
		parsed, err := envelope.Parse(marshal(t, r, v))
		require.NoError(t, err)
		assert.Equal(t, name, parsed.Type)
	}
}

func TestTypesWithoutNamesAreRefused(t *testing.T) {
	t.Parallel()
	type stranger struct{ A int }
	type strangeInterface interface{ Strange() }
	type numbers []int
	r := newShop(t)
	refused := func(goType reflect.Type, kind error, text string) {
		t.Helper()
		_, err := r.TypeName(goType)
		require.ErrorIs(t, err, kind)
		requireFault(t, err, text)
	}
	call := ` is not registered: call envelope.MustRegister[envelope_test.`
	refused(typeOf[stranger](), envelope.ErrUnregistered, "type envelope_test.stranger"+call+`stranger](registry, "envelope_test.stranger")`)
	refused(typeOf[[]map[string]stranger](), envelope.ErrUnregistered, "type envelope_test.stranger"+call+`stranger](registry, "envelope_test.stranger")`)
	refused(typeOf[map[folded]int](), envelope.ErrUnregistered, "type envelope_test.folded"+call+`folded](registry, "envelope_test.folded")`)
	refused(typeOf[shopStatus](), envelope.ErrUnregistered, "type envelope_test.shopStatus"+call+`shopStatus](registry, "envelope_test.shopStatus")`)
	refused(typeOf[numbers](), envelope.ErrUnregistered, "type envelope_test.numbers"+call+`numbers](registry, "envelope_test.numbers")`)
	refused(typeOf[strangeInterface](), envelope.ErrUnregistered, "interface envelope_test.strangeInterface is not registered: "+
		`call, in its own package, envelope.RegisterInterface[envelope_test.strangeInterface](registry, "envelope_test.strangeInterface")`)
	refused(typeOf[[]error](), envelope.ErrUnregistered,
		`interface error is not registered: call envelope.RegisterInterface[error](registry, "error")`)
	refused(typeOf[chan int](), envelope.ErrUnsupported, "chan values cannot be carried")
	refused(typeOf[func()](), envelope.ErrUnsupported, "func values cannot be carried")
	refused(typeOf[map[float64]int](), envelope.ErrUnsupported,
		"map[float64]int: map keys of type float64 cannot be carried")
	refused(typeOf[**********int](), envelope.ErrLimit, "limit exceeded: MaxTypeDepth is 8, see envelope.WithLimits")
}
