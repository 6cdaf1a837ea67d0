package envelope

import (
	"reflect"
	"unicode"
	"unicode/utf8"
)

// Members are those of a struct's objects, and find its fields by their names. They never change.
type members struct {
	layout
	byName map[string]int
	// byFolded finds fields by names that differ in case only; encoding/json does so too.
	byFolded map[string]int
}

// membersOf returns the members of a struct, worked out on first use.
func (s *typeSet) membersOf(t reflect.Type) *members {
	known, ok := s.members.Load(t)
	if !ok {
		known, _ = s.members.LoadOrStore(t, newMembers(s.layoutOf(t)))
	}
	return known.(*members)
}

func newMembers(l layout) *members {
	m := &members{layout: l, byName: map[string]int{}, byFolded: map[string]int{}}
	for i, f := range l.fields {
		m.byName[f.name] = i
		folded := fold(f.name)
		if _, ok := m.byFolded[folded]; !ok {
			m.byFolded[folded] = i
		}
	}
	return m
}

// named returns the field with just this name.
func (m *members) named(name string) (position int, ok bool) {
	position, ok = m.byName[name]
	return position, ok
}

// likeNamed returns the first field whose name differs in case only.
func (m *members) likeNamed(name string) (position int, ok bool) {
	position, ok = m.byFolded[fold(name)]
	return position, ok
}

// fold maps names that differ in case only to one.
func fold(name string) string {
	folded := make([]byte, 0, len(name))
	for _, r := range name {
		folded = utf8.AppendRune(folded, smallestFold(r))
	}
	return string(folded)
}

// smallestFold returns the smallest of the runes that differ from r in case only.
func smallestFold(r rune) rune {
	smallest := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		smallest = min(smallest, next)
	}
	return smallest
}
