package native

import "reflect"

// Erased returns the type that Assign makes t of: t with the base types in the place of types that are defined as one
// of them, behind pointers and in slices too. It returns nil for other types, and for those that hold themselves.
func Erased(t reflect.Type) reflect.Type { return erased(t, maxErased) }

// maxErased bounds how deep pointers and slices are nested, as a type may hold itself.
const maxErased = 16

func erased(t reflect.Type, depth int) reflect.Type {
	if base := baseTypes[t.Kind()]; base != nil {
		return base
	}
	if depth == 0 || t.Kind() != reflect.Pointer && t.Kind() != reflect.Slice {
		return nil
	}
	element := erased(t.Elem(), depth-1)
	switch {
	case element == nil:
		return nil
	case t.Kind() == reflect.Pointer:
		return reflect.PointerTo(element)
	default:
		return reflect.SliceOf(element)
	}
}
