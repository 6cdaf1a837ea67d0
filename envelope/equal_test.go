package envelope_test

import (
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// difference says where two values differ, in the sense in which what arrives has to equal what was sent: "" if they do
// not. NaN equals NaN, zeros differ by sign, times are compared by instant and offset, big numbers by Cmp; all else is
// as for reflect.DeepEqual.
func difference(a, b any) string {
	return differs("value", reflect.ValueOf(a), reflect.ValueOf(b))
}

// requireSame fails the test if two values differ.
func requireSame(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, want, got any, context ...any) {
	t.Helper()
	if d := difference(want, got); d != "" {
		t.Fatalf("%s\nwant %#v\ngot  %#v\n%s", d, want, got, fmt.Sprint(context...))
	}
}

func differs(path string, a, b reflect.Value) string {
	if !a.IsValid() || !b.IsValid() {
		return differIf(path, a.IsValid() != b.IsValid())
	}
	if a.Type() != b.Type() {
		return fmt.Sprintf("%s: %s is not %s", path, a.Type(), b.Type())
	}
	if a.CanInterface() {
		if compare, ok := comparisons[a.Type()]; ok {
			return differIf(path, !compare(a.Interface(), b.Interface()))
		}
	}
	switch a.Kind() {
	case reflect.Float32, reflect.Float64:
		return differIf(path, !sameFloat(a.Float(), b.Float()))
	case reflect.Complex64, reflect.Complex128:
		x, y := a.Complex(), b.Complex()
		return differIf(path, !sameFloat(real(x), real(y)) || !sameFloat(imag(x), imag(y)))
	case reflect.Struct:
		return structsDiffer(path, a, b)
	case reflect.Array:
		return listsDiffer(path, a, b)
	case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
		return referencesDiffer(path, a, b)
	}
	return differIf(path, !a.Equal(b))
}

func differIf(path string, different bool) string {
	if different {
		return path + " differs"
	}
	return ""
}

func sameFloat(a, b float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Float64bits(a) == math.Float64bits(b)
}

func structsDiffer(path string, a, b reflect.Value) string {
	for i := range a.NumField() {
		if d := differs(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i)); d != "" {
			return d
		}
	}
	return ""
}

func listsDiffer(path string, a, b reflect.Value) string {
	if a.Len() != b.Len() {
		return path + " differs in length"
	}
	for i := range a.Len() {
		if d := differs(fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i)); d != "" {
			return d
		}
	}
	return ""
}

func referencesDiffer(path string, a, b reflect.Value) string {
	if a.IsNil() || b.IsNil() {
		return differIf(path, a.IsNil() != b.IsNil())
	}
	switch a.Kind() {
	case reflect.Slice:
		return listsDiffer(path, a, b)
	case reflect.Map:
		return mapsDiffer(path, a, b)
	}
	return differs(path, a.Elem(), b.Elem())
}

// mapsDiffer looks for an equal entry for each, as keys that are equal to us need not be so to Go.
func mapsDiffer(path string, a, b reflect.Value) string {
	if a.Len() != b.Len() {
		return path + " differs in length"
	}
	for _, key := range a.MapKeys() {
		if !hasEntry(b, key, a.MapIndex(key)) {
			return fmt.Sprintf("%s[%v] differs", path, key)
		}
	}
	return ""
}

func hasEntry(m, key, value reflect.Value) bool {
	for iterator := m.MapRange(); iterator.Next(); {
		if differs("", key, iterator.Key()) == "" && differs("", value, iterator.Value()) == "" {
			return true
		}
	}
	return false
}

// comparisons are those of types that are not compared by what they consist of.
var comparisons = map[reflect.Type]func(a, b any) bool{
	reflect.TypeFor[time.Time]():      compared(sameTime),
	reflect.TypeFor[big.Int]():        compared(func(a, b big.Int) bool { return a.Cmp(&b) == 0 }),
	reflect.TypeFor[big.Rat]():        compared(func(a, b big.Rat) bool { return a.Cmp(&b) == 0 }),
	reflect.TypeFor[big.Float]():      compared(sameBigFloat),
	reflect.TypeFor[url.URL]():        compared(func(a, b url.URL) bool { return a.String() == b.String() }),
	reflect.TypeFor[netip.Addr]():     compared(func(a, b netip.Addr) bool { return a == b }),
	reflect.TypeFor[netip.AddrPort](): compared(func(a, b netip.AddrPort) bool { return a == b }),
	reflect.TypeFor[netip.Prefix]():   compared(func(a, b netip.Prefix) bool { return a == b }),
}

func compared[T any](same func(a, b T) bool) func(a, b any) bool {
	return func(a, b any) bool { return same(a.(T), b.(T)) }
}

func sameTime(a, b time.Time) bool {
	_, offset := a.Zone()
	_, other := b.Zone()
	return a.Equal(b) && offset == other
}

func sameBigFloat(a, b big.Float) bool {
	return a.Cmp(&b) == 0 && a.Signbit() == b.Signbit() && a.Prec() == b.Prec() && a.Mode() == b.Mode()
}

func TestComparisonTellsApartWhatHasToDiffer(t *testing.T) {
	helsinki := time.FixedZone("", 2*60*60)
	noon := time.Date(2024, 5, 6, 12, 0, 0, 0, time.UTC)
	for _, pair := range [][2]any{
		{[]int(nil), []int{}},
		{map[string]int(nil), map[string]int{}},
		{map[string]int{"a": 1}, map[string]int{"b": 1}},
		{0.0, math.Copysign(0, -1)},
		{1, int64(1)},
		{noon, noon.In(helsinki)},
		{*new(big.Float).SetPrec(10), *new(big.Float).SetPrec(11)},
		{any(nil), any((*int)(nil))},
		{[2]any{1, "a"}, [2]any{1, "b"}},
	} {
		assert.NotEmpty(t, difference(pair[0], pair[1]), "%#v and %#v", pair[0], pair[1])
	}
	for _, pair := range [][2]any{
		{math.NaN(), math.NaN()},
		{map[time.Time]int{noon: 1}, map[time.Time]int{noon.In(time.FixedZone("", 0)): 1}},
		{*big.NewRat(2, 4), *big.NewRat(1, 2)},
	} {
		assert.Empty(t, difference(pair[0], pair[1]), "%#v and %#v", pair[0], pair[1])
	}
}
