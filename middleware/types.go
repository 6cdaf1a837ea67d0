package middleware

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware/internal/native"
)

// knownTypes answers questions about types, and about values by their types, from the registry.
type knownTypes struct{ registry *envelope.Registry }

func (k knownTypes) typeName(t reflect.Type) string {
	name, err := k.registry.TypeName(t)
	if err != nil {
		return t.String()
	}
	return name
}

// travels returns an error when values of static type t cannot be sent.
func (k knownTypes) travels(t reflect.Type) error {
	if t == contextType {
		return fmt.Errorf("%w: the context must be the first parameter, `func(ctx context.Context, …) error`", envelope.ErrUnsupported)
	}
	if t == errorType || native.IsBase(t.Kind()) || native.IsSlice(t) {
		return nil
	}
	_, err := k.registry.TypeName(t)
	return err
}

// keepsName reports whether t is a named type that travels under a name of its own: a registered or a built-in one.
func (k knownTypes) keepsName(t reflect.Type) bool { return t.PkgPath() != "" && k.registry.HasName(t) }

// isRegistered reports whether t is, points to or is made up of a registered type.
func (k knownTypes) isRegistered(t reflect.Type) bool {
	isPredeclared := t.Name() != "" && t.PkgPath() == ""
	return !isPredeclared && !native.IsSlice(t) && k.registry.RegisteredIn(t) != nil
}

// isOfBase reports whether an expression stands for a base type, for a type with a name that is defined as one, or for
// a slice of those.
func (k knownTypes) isOfBase(expression string) bool {
	named := k.registry.TypeNamed(strings.TrimPrefix(expression, "[]"))
	return named != nil && native.IsBase(named.Kind())
}

// isPredeclared reports whether an expression stands for one of Go's own base types, or a slice of them.
func (k knownTypes) isPredeclared(expression string) bool {
	named := k.registry.TypeNamed(strings.TrimPrefix(expression, "[]"))
	return named != nil && named.PkgPath() == "" && native.IsBase(named.Kind())
}

// maxHolding bounds how deep holdsRegistered looks, since types and values may lead back to themselves.
const maxHolding = 100

// holdsRegistered reports whether v is of a registered type, or points to or holds a value that is. Structs that are
// not registered hold nothing. What nests too deep to tell counts too: putting it in an envelope fails with its path.
func (k knownTypes) holdsRegistered(v reflect.Value, depth int) bool {
	if !v.IsValid() {
		return false
	}
	if depth > maxHolding {
		return true
	}
	t := v.Type()
	for level := 0; !k.registry.IsRegistered(t); level++ {
		if !isContainer(t.Kind()) || level > maxHolding {
			return t.Kind() == reflect.Interface && k.anyHoldsRegistered(v, depth)
		}
		t = t.Elem()
	}
	return true
}

func isContainer(k reflect.Kind) bool {
	return k == reflect.Pointer || k == reflect.Slice || k == reflect.Array || k == reflect.Map
}

// anyHoldsRegistered looks at what is in the interfaces that v holds.
func (k knownTypes) anyHoldsRegistered(v reflect.Value, depth int) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return k.holdsRegistered(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if k.holdsRegistered(v.Index(i), depth+1) {
				return true
			}
		}
	case reflect.Map:
		for _, element := range v.Seq2() {
			if k.holdsRegistered(element, depth+1) {
				return true
			}
		}
	}
	return false
}
