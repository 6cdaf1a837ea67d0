package native

import (
	"encoding/json"
	"math"
	"reflect"
	"unicode/utf8"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// types are the types that Machinery carries by itself, by the names it gives them.
var types = func() map[string]reflect.Type {
	found := make(map[string]reflect.Type)
	for _, t := range []reflect.Type{
		reflect.TypeFor[bool](), reflect.TypeFor[string](),
		reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
		reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
		reflect.TypeFor[float32](), reflect.TypeFor[float64](),
	} {
		found[t.String()] = t
		found["[]"+t.String()] = reflect.SliceOf(t)
	}
	found["[]byte"] = found["[]uint8"]
	return found
}()

// baseTypes are the native types that are no slices, by kind.
var baseTypes = func() map[reflect.Kind]reflect.Type {
	found := make(map[reflect.Kind]reflect.Type)
	for _, t := range types {
		if t.Kind() != reflect.Slice {
			found[t.Kind()] = t
		}
	}
	return found
}()

// Type returns the type that Machinery knows by a name, or nil if it knows none.
func Type(name string) reflect.Type { return types[name] }

// IsButString reports whether a name is that of a type which Machinery carries by itself and takes no text for.
func IsButString(name string) bool { return name != "string" && types[name] != nil }

// IsBase reports whether Machinery carries values of kind k.
func IsBase(k reflect.Kind) bool { return baseTypes[k] != nil }

// IsPassable reports whether Machinery has values that a parameter of type t takes.
func IsPassable(t reflect.Type) bool {
	for _, own := range types {
		if own.AssignableTo(t) {
			return true
		}
	}
	return false
}

// IsSlice reports whether Machinery carries slices of type t: unnamed slices of unnamed base types.
func IsSlice(t reflect.Type) bool { return t.Kind() == reflect.Slice && types[t.String()] == t }

// Value returns v as Machinery carries it, and whether Machinery does so without altering it. Named base types become
// their base type. What Machinery would alter or refuse (nil slices, NaN, invalid UTF-8) it does not carry.
func Value(v reflect.Value) (any, bool) {
	if base := baseTypes[v.Kind()]; base != nil {
		if v.Type() != base {
			v = v.Convert(base)
		}
		return v.Interface(), survives(v)
	}
	if !IsSlice(v.Type()) || v.IsNil() {
		return nil, false
	}
	switch elements := v.Interface().(type) {
	case []float64:
		return elements, allSurvive(v)
	case []float32:
		return elements, allSurvive(v)
	case []string:
		return elements, allSurvive(v)
	default:
		return elements, true
	}
}

// survives reports whether the base value v passes through JSON unaltered.
func survives(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		return !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0)
	case reflect.String:
		return utf8.ValidString(v.String())
	default:
		return true
	}
}

func allSurvive(v reflect.Value) bool {
	for i := range v.Len() {
		if !survives(v.Index(i)) {
			return false
		}
	}
	return true
}

// IsOfItsType reports whether the value of an argument is of the type that the argument names, in the sense in which
// Machinery accepts it, both as the caller wrote it and as it is read back from JSON. Floats that are not finite are
// not: publishing them fails.
func IsOfItsType(arg tasks.Arg) bool {
	declared := types[arg.Type]
	if declared == nil {
		return false
	}
	switch arg.Value.(type) {
	case nil, []any:
		return declared.Kind() == reflect.Slice
	case json.Number:
		return isNumber(declared.Kind())
	}
	v := reflect.ValueOf(arg.Value)
	if declared.Kind() != reflect.Slice {
		return sameFamily(declared.Kind(), v.Kind()) && (v.Kind() == reflect.String || survives(v))
	}
	if v.Kind() == reflect.String { // []byte as it is read back
		return declared.Elem().Kind() == reflect.Uint8
	}
	if v.Kind() != reflect.Slice || !sameFamily(declared.Elem().Kind(), v.Type().Elem().Kind()) {
		return false
	}
	return v.Type().Elem().Kind() == reflect.String || allSurvive(v)
}

// NamesAnotherType reports whether an argument names one of Machinery's own types, and its value is of another Go type.
func NamesAnotherType(arg tasks.Arg) bool {
	declared := types[arg.Type]
	return declared != nil && reflect.TypeOf(arg.Value) != declared
}

func sameFamily(a, b reflect.Kind) bool {
	return a == b || isNumber(a) && isNumber(b)
}

func isNumber(k reflect.Kind) bool {
	return k >= reflect.Int && k <= reflect.Float64 && k != reflect.Uintptr
}

func isInteger(k reflect.Kind) bool { return isSigned(k) || isUnsigned(k) }

func isSigned(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Int64 }

func isUnsigned(k reflect.Kind) bool { return k >= reflect.Uint && k <= reflect.Uint64 }
