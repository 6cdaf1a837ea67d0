package envelope

import (
	"reflect"
	"strings"
)

// An omission reports whether a field with this value is left out, as its tag asks for. It is nil without.
type omission func(v reflect.Value) bool

type zeroer interface{ IsZero() bool }

var zeroerType = reflect.TypeFor[zeroer]()

func omissionOf(t reflect.Type, options string) omission {
	var result omission
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			result = either(result, emptiness(t))
		case "omitzero":
			result = either(result, zeroness(t))
		}
	}
	return result
}

// omittedWhen says in words when a field is left out; nothing if it never is.
func omittedWhen(f reflect.StructField) string {
	_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	isEmpty, isZero := hasOption(options, "omitempty") && emptiness(f.Type) != nil, hasOption(options, "omitzero")
	switch {
	case isEmpty && isZero:
		return "empty or zero"
	case isEmpty:
		return "empty"
	case isZero:
		return "zero"
	}
	return ""
}

func either(a, b omission) omission {
	if a == nil || b == nil {
		return firstOf(a, b)
	}
	return func(v reflect.Value) bool { return a(v) || b(v) }
}

func firstOf(a, b omission) omission {
	if a == nil {
		return b
	}
	return a
}

// emptiness is what omitempty means for the type: nil where it never leaves a value out.
func emptiness(t reflect.Type) omission {
	switch t.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return func(v reflect.Value) bool { return v.Len() == 0 }
	case reflect.Struct, reflect.Complex64, reflect.Complex128, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return nil
	}
	return reflect.Value.IsZero
}

// zeroness is what omitzero means for the type: its IsZero method if it has one.
func zeroness(t reflect.Type) omission {
	switch {
	case t.Kind() == reflect.Interface && t.Implements(zeroerType):
		return func(v reflect.Value) bool {
			return v.IsNil() || v.Elem().Kind() == reflect.Pointer && v.Elem().IsNil() || v.Interface().(zeroer).IsZero()
		}
	case t.Kind() == reflect.Pointer && t.Implements(zeroerType):
		return func(v reflect.Value) bool { return v.IsNil() || v.Interface().(zeroer).IsZero() }
	case reflect.PointerTo(t).Implements(zeroerType):
		return func(v reflect.Value) bool { return v.Addr().Interface().(zeroer).IsZero() }
	}
	return reflect.Value.IsZero
}
