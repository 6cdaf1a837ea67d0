package envelope_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

func TestHasName(t *testing.T) {
	r := newShop(t)
	for _, known := range []reflect.Type{typeOf[shopLine](), typeOf[shopPrice](), typeOf[time.Duration](), typeOf[string]()} {
		assert.True(t, r.HasName(known), known)
	}
	for _, other := range []reflect.Type{typeOf[*shopLine](), typeOf[[]string](), nil} {
		assert.False(t, r.HasName(other), other)
	}
}

func TestRegisteredIn(t *testing.T) {
	r := newShop(t)
	type list []list
	for _, holder := range []reflect.Type{typeOf[shopLine](), typeOf[*shopLine](), typeOf[[]*shopLine](), typeOf[map[string]shopLine]()} {
		assert.Equal(t, typeOf[shopLine](), r.RegisteredIn(holder))
	}
	for _, other := range []reflect.Type{typeOf[string](), typeOf[[]time.Duration](), typeOf[list]()} {
		assert.Nil(t, r.RegisteredIn(other))
	}
}

func TestTypeNamed(t *testing.T) {
	r := newShop(t)
	name, err := r.TypeName(typeOf[shopLine]())
	require.NoError(t, err)
	assert.Equal(t, typeOf[shopLine](), r.TypeNamed(name))
	assert.Equal(t, typeOf[time.Duration](), r.TypeNamed("time.Duration"))
	assert.Nil(t, r.TypeNamed("shop.Unknown"))
	assert.Nil(t, r.TypeNamed("[]string"))
}

func TestCheckFitsSaysWhatUnmarshalWould(t *testing.T) {
	r := newShop(t)
	for _, value := range []any{nil, 1, "a", shopLine{}, &shopLine{}, []shopLine{}, []string{"a"}, struct{}{}, map[string]struct{}{}} {
		text := marshal(t, r, value)
		for _, target := range []any{new(any), new(int), new(string), new(shopLine), new(*shopLine), new([]shopLine), new([]string),
			new(error), new(struct{}), new(map[string]struct{})} {
			got := r.CheckFits(reflect.TypeOf(value), reflect.TypeOf(target).Elem())
			want := r.Unmarshal(t.Context(), text, target)
			if want == nil {
				assert.NoError(t, got, "%T for %T", value, target)
			} else {
				assert.EqualError(t, got, want.Error())
			}
		}
	}
}

func TestTheEmptyStructIsBuiltIn(t *testing.T) {
	r := envelope.NewRegistry()
	set := map[string]struct{}{"a": {}}
	const text = `{"$envelope":1,"type":"map[string]struct","data":{"a":{}}}`
	assert.Equal(t, text, marshal(t, r, set))
	got, err := r.UnmarshalAny(t.Context(), text)
	require.NoError(t, err)
	assert.Equal(t, set, got)
	got, err = r.UnmarshalAny(t.Context(), `{"$envelope":1,"type":"[]any","data":[{"$envelope":1,"type":"struct","data":{}}]}`)
	require.NoError(t, err)
	assert.Equal(t, []any{struct{}{}}, got)
	_, err = r.UnmarshalAny(t.Context(), `{"$envelope":1,"type":"struct","data":null}`)
	require.ErrorIs(t, err, envelope.ErrTypeMismatch)
}
