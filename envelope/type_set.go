package envelope

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// A typeSet is what is registered at one moment. It never changes: a registration makes another one.
type typeSet struct {
	byName map[string]*registration
	byType map[reflect.Type]*registration
	// hasEncrypted reports whether any type is registered as Encrypted.
	hasEncrypted bool
	// verifyAll reports whether the registry has VerifyAll.
	verifyAll bool
	// members are those of structs, worked out on first use: reflect.Type → *members.
	members *sync.Map
	// refused has why types could not be registered that are not registered yet.
	refused map[reflect.Type]error
}

// with returns a typeSet that has the registration as well.
func (s *typeSet) with(added *registration) *typeSet {
	next := &typeSet{
		byName:       map[string]*registration{},
		byType:       map[reflect.Type]*registration{},
		hasEncrypted: s.hasEncrypted || added.encrypted,
		verifyAll:    s.verifyAll,
		members:      &sync.Map{},
		refused:      maps.Clone(s.refused),
	}
	delete(next.refused, added.goType)
	maps.Copy(next.byName, s.byName)
	maps.Copy(next.byType, s.byType)
	next.byType[added.goType] = added
	for _, name := range added.names() {
		next.byName[name] = added
	}
	return next
}

// refusing returns a typeSet with one more type that was refused.
func (s *typeSet) refusing(t reflect.Type, reason error) *typeSet {
	next := *s
	next.refused = maps.Clone(s.refused)
	if next.refused == nil {
		next.refused = map[reflect.Type]error{}
	}
	next.refused[t] = reason
	return &next
}

// refusals returns why types were refused, in the order of their names.
func (s *typeSet) refusals() []error {
	refusals := slices.Collect(maps.Values(s.refused))
	slices.SortFunc(refusals, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return refusals
}

// sorted lists the registrations by name.
func (s *typeSet) sorted() []*registration {
	return slices.SortedFunc(maps.Values(s.byType), func(a, b *registration) int { return strings.Compare(a.name, b.name) })
}

// typeNamed returns the type, built in or registered, that a name stands for.
func (s *typeSet) typeNamed(name string) (reflect.Type, error) {
	if known, ok := builtinByName[name]; ok {
		return known.goType, nil
	}
	if registered, ok := s.byName[name]; ok {
		return registered.goType, nil
	}
	return nil, unknownType(name)
}

// hasName reports whether t has a name in type expressions: whether it is registered, or built in under a name.
func (s *typeSet) hasName(t reflect.Type) bool {
	return isBuiltin(t) || s.byType[t] != nil
}

// label names a type in errors: by its name in type expressions if it is registered.
func (s *typeSet) label(t reflect.Type) string {
	if registered, ok := s.byType[t]; ok {
		return registered.name
	}
	return goName(t)
}

// isWhole reports whether values of t are written in another way than Go's definition of t gives, so that embedding t
// does not spread its fields. struct{}, although built in, is written as any other struct without fields.
func (s *typeSet) isWhole(t reflect.Type) bool {
	if _, ok := builtinByType[t]; ok {
		return t != emptyStructType
	}
	registered, ok := s.byType[t]
	return ok && registered.isWhole()
}

// isByKind reports whether values of t are written by its kind alone: t has no converter, codec or marshalers.
func (s *typeSet) isByKind(t reflect.Type) bool {
	if registered, ok := s.byType[t]; ok && registered.isWhole() {
		return false
	}
	return hasNoMarshalers(t)
}

// isEndless reports whether pointers and converters lead from t back to itself, with no value ever reached.
func (s *typeSet) isEndless(t reflect.Type) bool {
	seen := map[reflect.Type]bool{}
	for !seen[t] {
		seen[t] = true
		registered := s.byType[t]
		switch {
		case registered != nil && registered.codec != nil:
			return false
		case registered != nil && registered.converter != nil:
			t = registered.converter.wireType
		case t.Kind() == reflect.Pointer:
			t = t.Elem()
		default:
			return false
		}
	}
	return true
}

// isStaticOnly reports whether t is, or is made up of, a type that messages may not choose.
func (s *typeSet) isStaticOnly(t reflect.Type) bool {
	for part := range s.parts(t) {
		if registered, ok := s.byType[part]; ok && registered.staticOnly {
			return true
		}
	}
	return false
}

// erasedIn returns a type whose name the expression of t leaves out, as it is not registered: nil if there is none.
// With such a type left out, the expression stands for another type than t.
func (s *typeSet) erasedIn(t reflect.Type) reflect.Type {
	for part := range s.parts(t) {
		if part.Name() != "" && !s.hasName(part) {
			return part
		}
	}
	return nil
}

// leafOf returns the registered type that t is, points to or has as its elements, nil if there is none.
func (s *typeSet) leafOf(t reflect.Type) *registration {
	for seen := map[reflect.Type]bool{}; !seen[t] && s.byType[t] == nil && isComposite(t); t = t.Elem() {
		seen[t] = true
	}
	return s.byType[t]
}
