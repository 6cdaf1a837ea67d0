package envelope

import (
	"iter"
	"reflect"
)

// components yields the types of which values of t directly and statically consist: a map's keys and then its values,
// what a pointer points to, the elements of a slice or array, and the fields of a struct that can be reached from
// outside.
func components(t reflect.Type) iter.Seq[reflect.Type] {
	return func(yield func(reflect.Type) bool) {
		switch t.Kind() {
		case reflect.Map:
			_ = yield(t.Key()) && yield(t.Elem())
		case reflect.Pointer, reflect.Slice, reflect.Array:
			yield(t.Elem())
		case reflect.Struct:
			for field := range t.Fields() {
				if (field.IsExported() || field.Anonymous) && !yield(field.Type) {
					return
				}
			}
		}
	}
}

// isComposite reports whether t is a pointer, slice, array or map.
func isComposite(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return true
	}
	return false
}

// parts yields t, and then the parts of its components, in their order. It does not look into types that have a name in
// type expressions, and yields each type once.
func (s *typeSet) parts(t reflect.Type) iter.Seq[reflect.Type] {
	return func(yield func(reflect.Type) bool) {
		seen := map[reflect.Type]bool{}
		var visit func(reflect.Type) bool
		visit = func(t reflect.Type) bool {
			if seen[t] {
				return true
			}
			seen[t] = true
			if !yield(t) {
				return false
			}
			if s.hasName(t) {
				return true
			}
			for component := range components(t) {
				if !visit(component) {
					return false
				}
			}
			return true
		}
		visit(t)
	}
}
