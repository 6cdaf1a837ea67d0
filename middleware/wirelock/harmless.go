package wirelock

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// harmless lists the differences between two schemas that none of the changes is about.
func harmless(old, new *wireschema.Schema, changes []Change) []Change {
	d := differences{known: map[string]bool{}}
	for _, c := range changes {
		d.known[c.Where] = true
	}
	if !reflect.DeepEqual(old.Settings, new.Settings) {
		d.add("settings", "they differ")
	}
	entries(&d, "", old.Types, new.Types, func(t wireschema.Type) string { return label(t.Name) }, d.typeEntry)
	entries(&d, "interface ", old.Interfaces, new.Interfaces, func(i wireschema.Interface) string { return i.Name }, func(where string, a, b wireschema.Interface) {
		d.add(where, fmt.Sprintf("%v becomes %v", a.Types, b.Types))
	})
	entries(&d, "task ", old.Tasks, new.Tasks, func(t wireschema.Task) string { return t.Name }, func(where string, a, b wireschema.Task) {
		d.add(where, fmt.Sprintf("(%s) (%s) becomes (%s) (%s)", forms(a.Params), forms(a.Results), forms(b.Params), forms(b.Results)))
	})
	return d.found
}

type differences struct {
	known map[string]bool
	found []Change
}

func (d *differences) add(where, what string) {
	if !d.known[where] {
		d.found = append(d.found, Change{Where: where, What: what})
	}
}

// entries goes through those of two lists by their names.
func entries[T any](d *differences, kind string, old, new []T, name func(T) string, changed func(where string, a, b T)) {
	before := map[string]T{}
	for _, e := range old {
		before[name(e)] = e
	}
	for _, e := range new {
		where := kind + name(e)
		earlier, ok := before[name(e)]
		delete(before, name(e))
		switch {
		case !ok:
			d.add(where, "new")
		case !reflect.DeepEqual(earlier, e):
			changed(where, earlier, e)
		}
	}
	for _, gone := range sortedNames(before) {
		d.add(kind+gone, "gone")
	}
}

// typeEntry lists the fields that differ, and says if something else about the type does.
func (d *differences) typeEntry(where string, a, b wireschema.Type) {
	count := len(d.found)
	entries(d, where+".", a.Fields, b.Fields, func(f wireschema.Field) string { return f.Name }, func(where string, a, b wireschema.Field) {
		d.add(where, fmt.Sprintf("%s becomes %s", describeField(a), describeField(b)))
	})
	isReordered := len(d.found) == count && !d.knowsFieldOf(where)
	a.Fields, b.Fields = nil, nil
	switch {
	case !reflect.DeepEqual(a, b):
		d.add(where, "its name, version or options")
	case isReordered:
		d.add(where, "the order of its fields")
	}
}

func (d *differences) knowsFieldOf(where string) bool {
	for known := range d.known {
		if strings.HasPrefix(known, where+".") {
			return true
		}
	}
	return false
}

func describeField(f wireschema.Field) string {
	text := label(f.Form)
	if f.Quoted {
		text += " in a string"
	}
	if f.Omitted != "" {
		text += ", left out when " + f.Omitted
	}
	return text
}
