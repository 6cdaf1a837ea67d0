package envelope

import (
	"math"
	"math/big"
	"net/url"
	"reflect"
	"time"
)

// isEqual reports whether two addressable values of one type are equal by the package's rules: NaN equals NaN, times
// are equal by instant and offset, big numbers by Cmp, a url.URL by its text; all else as for reflect.DeepEqual.
func isEqual(a, b reflect.Value) bool {
	return reflect.DeepEqual(a.Addr().Interface(), b.Addr().Interface()) || (&comparison{}).equal(a, b)
}

// A comparison goes through two values that reflect.DeepEqual tells apart.
type comparison struct {
	// seen has the pointers that are being compared, as fields that do not travel may lead back to themselves.
	seen map[[2]uintptr]bool
}

// comparisons are those of types that are not compared by what they consist of.
var comparisons = map[reflect.Type]func(a, b any) bool{
	reflect.TypeFor[time.Time](): comparedBy(isSameTime),
	reflect.TypeFor[big.Int]():   comparedBy(func(a, b big.Int) bool { return a.Cmp(&b) == 0 }),
	reflect.TypeFor[big.Rat]():   comparedBy(func(a, b big.Rat) bool { return a.Cmp(&b) == 0 }),
	reflect.TypeFor[big.Float](): comparedBy(isSameFloat),
	reflect.TypeFor[url.URL]():   comparedBy(func(a, b url.URL) bool { return a.String() == b.String() }),
}

func comparedBy[T any](equal func(a, b T) bool) func(a, b any) bool {
	return func(a, b any) bool { return equal(a.(T), b.(T)) }
}

func isSameTime(a, b time.Time) bool {
	_, offset := a.Zone()
	_, other := b.Zone()
	return a.Equal(b) && offset == other
}

func isSameFloat(a, b big.Float) bool {
	return a.Cmp(&b) == 0 && a.Signbit() == b.Signbit() && a.Prec() == b.Prec() && a.Mode() == b.Mode()
}

func (c *comparison) equal(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() || a.Type() != b.Type() {
		return a.IsValid() == b.IsValid() && !a.IsValid()
	}
	if compare, ok := comparisons[a.Type()]; ok && a.CanInterface() {
		return compare(a.Interface(), b.Interface())
	}
	switch a.Kind() {
	case reflect.Float32, reflect.Float64:
		return isSameNumber(a.Float(), b.Float())
	case reflect.Complex64, reflect.Complex128:
		return isSameNumber(real(a.Complex()), real(b.Complex())) && isSameNumber(imag(a.Complex()), imag(b.Complex()))
	case reflect.Struct:
		return c.equalFields(a, b)
	case reflect.Array:
		return c.equalElements(a, b)
	case reflect.Slice:
		return (a.IsNil() == b.IsNil() || isNat(a.Type())) && c.equalElements(a, b)
	case reflect.Map:
		return a.IsNil() == b.IsNil() && c.equalEntries(a, b)
	case reflect.Pointer:
		return c.equalPointers(a, b)
	case reflect.Interface:
		return c.equal(a.Elem(), b.Elem())
	case reflect.Func:
		return a.IsNil() && b.IsNil()
	}
	return a.Equal(b)
}

func isSameNumber(a, b float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Float64bits(a) == math.Float64bits(b)
}

// isNat reports whether t has the digits of a big number, of which those of zero may be nil or empty.
func isNat(t reflect.Type) bool { return t.PkgPath() == "math/big" && t.Name() == "nat" }

func (c *comparison) equalFields(a, b reflect.Value) bool {
	for i := range a.NumField() {
		if !c.equal(a.Field(i), b.Field(i)) {
			return false
		}
	}
	return true
}

func (c *comparison) equalElements(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if !c.equal(a.Index(i), b.Index(i)) {
			return false
		}
	}
	return true
}

// equalEntries looks keys up as Go does, and only if that fails for one that is equal by the rules.
func (c *comparison) equalEntries(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for entry := a.MapRange(); entry.Next(); {
		value := b.MapIndex(entry.Key())
		if value.IsValid() && c.equal(entry.Value(), value) || !value.IsValid() && c.hasEntry(b, entry.Key(), entry.Value()) {
			continue
		}
		return false
	}
	return true
}

func (c *comparison) hasEntry(m, key, value reflect.Value) bool {
	for entry := m.MapRange(); entry.Next(); {
		if c.equal(key, entry.Key()) && c.equal(value, entry.Value()) {
			return true
		}
	}
	return false
}

func (c *comparison) equalPointers(a, b reflect.Value) bool {
	if a.IsNil() || b.IsNil() {
		return a.IsNil() == b.IsNil()
	}
	pair := [2]uintptr{a.Pointer(), b.Pointer()}
	if pair[0] == pair[1] || c.seen[pair] {
		return true
	}
	if c.seen == nil {
		c.seen = map[[2]uintptr]bool{}
	}
	c.seen[pair] = true
	return c.equal(a.Elem(), b.Elem())
}
