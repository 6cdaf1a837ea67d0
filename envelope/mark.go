package envelope

import (
	"reflect"
)

// A mark is something that a registration says about a type, and that holds for everything that holds the type.
type mark func(*registration) bool

func isEncrypted(r *registration) bool { return r.encrypted }
func isSecret(r *registration) bool    { return r.secret }

// holds reports whether values of t are, or may have in their static parts, values of a marked type.
func (s *typeSet) holds(t reflect.Type, m mark) bool {
	search := markSearch{types: s, mark: m, seen: map[reflect.Type]bool{}}
	return search.finds(t)
}

// A markSearch looks for a marked type in all that a type statically holds.
type markSearch struct {
	types *typeSet
	mark  mark
	seen  map[reflect.Type]bool
}

func (s *markSearch) finds(t reflect.Type) bool {
	if s.seen[t] || isBuiltin(t) {
		return false
	}
	s.seen[t] = true
	if registered := s.types.byType[t]; registered != nil {
		if s.mark(registered) || s.findsInOlder(registered) {
			return true
		}
		if registered.converter != nil {
			return s.finds(registered.converter.wireType)
		}
	}
	for component := range components(t) {
		if s.finds(component) {
			return true
		}
	}
	return false
}

// findsInOlder looks at the older versions of a type, which are still read.
func (s *markSearch) findsInOlder(r *registration) bool {
	for _, step := range r.upgrades {
		if s.finds(step.oldType) {
			return true
		}
	}
	return false
}
