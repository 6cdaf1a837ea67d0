package wirelock

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// Compare returns what differs between two schemas, the highest kind first: nothing if they are equal. It is a pure
// function of what is written of them, for use without package testing: read both with [wireschema.Parse]. Unlike
// [Check] it does not try upgrades.
func Compare(old, new *wireschema.Schema) []Change {
	old, new = asWritten(old), asWritten(new)
	before, after := newIndex(old), newIndex(new)
	var losses []loss
	for _, d := range []direction{past, future} {
		r := &reading{direction: d, written: before, reads: after}
		if d == future {
			r.written, r.reads = after, before
		}
		losses = append(losses, r.settings()...)
		losses = append(losses, r.allTypes(before, after)...)
		losses = append(losses, r.allInterfaces(before, after)...)
		losses = append(losses, r.allTasks(before, after)...)
	}
	changes := newReport(before, after).changes(losses)
	changes = append(changes, harmless(old, new, changes)...)
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(b.Kind, a.Kind), cmp.Compare(a.Where, b.Where), cmp.Compare(a.What, b.What))
	})
	return changes
}

// asWritten is a schema as it would be read back.
func asWritten(s *wireschema.Schema) *wireschema.Schema {
	read, err := wireschema.Parse(s.JSON())
	if err != nil {
		return s
	}
	return read
}

// allTypes compares the registered types of the old schema with what they have become.
func (r *reading) allTypes(before, after *index) []loss {
	var losses []loss
	for _, name := range sortedNames(before.types) {
		old := before.types[name]
		if old.Name != name || !isRegistered(old) {
			continue
		}
		current, ok := after.types[name]
		root := r.of(name)
		if !ok && r.direction == past {
			root.lose(name, "the type is not registered any more")
			root.remedy("register it, or give the type that takes its place envelope.Alias(%q)", name)
		}
		if ok {
			typeReading{root}.registered(old, current)
		}
		losses = append(losses, root.losses...)
	}
	return losses
}

// remedy gives the last loss a remedy of its own.
func (r *reading) remedy(format string, args ...any) {
	r.losses[len(r.losses)-1].remedy = fmt.Sprintf(format, args...)
}

// allInterfaces compares what messages may choose.
func (r *reading) allInterfaces(before, after *index) []loss {
	var losses []loss
	for _, name := range sortedNames(before.interfaces) {
		if _, ok := after.interfaces[name]; ok {
			root := r.of(name)
			root.choices(name, name)
			losses = append(losses, root.losses...)
		}
	}
	return losses
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
