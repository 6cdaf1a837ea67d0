package wirelock

import (
	"maps"
	"slices"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// structs compares two objects member by member.
func (r *reading) structs(written, read wireschema.Type) {
	pair := [2]string{written.Name, read.Name}
	if r.seen[pair] {
		return
	}
	r.seen[pair] = true
	var dropped []wireschema.Field
	found := map[string]bool{}
	for _, w := range written.Fields {
		f, ok := fieldOf(read, w.Name)
		if !ok {
			dropped = append(dropped, w)
			continue
		}
		found[f.Name] = true
		r.field(w, f, fieldOfOld(r.direction, written, read)+"."+w.Name)
	}
	place := fieldOfOld(r.direction, written, read)
	r.unknown(dropped, place)
	added := slices.DeleteFunc(slices.Clone(read.Fields), func(f wireschema.Field) bool { return found[f.Name] })
	if r.isProbe {
		r.renamed(dropped, added, place)
		return
	}
	for _, f := range added {
		r.missing(f, dropped, place)
	}
}

func fieldOfOld(d direction, written, read wireschema.Type) string {
	if d == past {
		return label(written.Name)
	}
	return label(read.Name)
}

// fieldOf finds a field as a reader does: by its exact name, then without regard to case.
func fieldOf(t wireschema.Type, name string) (wireschema.Field, bool) {
	for _, f := range t.Fields {
		if f.Name == name {
			return f, true
		}
	}
	for _, f := range t.Fields {
		if strings.EqualFold(f.Name, name) {
			return f, true
		}
	}
	return wireschema.Field{}, false
}

func (r *reading) field(w, f wireschema.Field, where string) {
	switch {
	case w.Quoted == f.Quoted:
		r.forms(w.Form, f.Form, where)
	case w.Quoted && f.Form == "string" && w.Form != "string" && w.Form != "*string":
		if strings.HasPrefix(w.Form, "*") {
			r.lose(where, "null is refused")
		}
	default:
		current := f
		if r.direction == future {
			current = w
		}
		r.lose(where, "the option string of its tag is %s", addedOr(current.Quoted))
	}
}

func addedOr(added bool) string {
	if added {
		return "new"
	}
	return "gone"
}

// unknown compares members that the reader has no field for with what it does about them.
func (r *reading) unknown(dropped []wireschema.Field, place string) {
	if !r.reads.settings.RefusesUnknown {
		return
	}
	for _, w := range dropped {
		r.lose(place+"."+w.Name, "the field is %s, and members without a field are refused", addedOr(r.direction == future))
	}
}

// missing is for a field that the writer does not know. An old reader has always got the member, unless it could be
// left out before. A new one expects old messages without it; but if a field that could be the same has gone, the value
// of that is lost.
func (r *reading) missing(f wireschema.Field, dropped []wireschema.Field, place string) {
	if r.direction == future {
		if f.Omitted == "" {
			r.lose(place+"."+f.Name, "the field is gone, and was always there")
		}
		return
	}
	for _, w := range dropped {
		switch {
		case r.couldBe(w, f):
			r.lose(place+"."+w.Name, "the field is gone, and %s is new and could have its values: taken for a new name", f.Name)
		case r.hasMember(r.reads, f, w.Name), r.hasMember(r.written, w, f.Name):
			r.lose(place+"."+w.Name, "the field has moved to %s", f.Name)
		}
	}
}

// renamed is missing for a probe, which takes as many members that look like those that are gone for these under new
// names. To probe each of them in turn takes exponentially long for types that hold one another.
func (r *reading) renamed(dropped, added []wireschema.Field, place string) {
	if len(dropped) == 0 || len(added) == 0 {
		return
	}
	isAlike := len(dropped) == len(added)
	for i := 0; isAlike && i < len(added); i++ {
		isAlike = slices.ContainsFunc(dropped, func(w wireschema.Field) bool { return r.looksLike(w, added[i]) })
	}
	if !isAlike {
		r.lose(place, "its members are others")
	}
}

// looksLike compares two fields without what their values consist of.
func (r *reading) looksLike(w, f wireschema.Field) bool {
	written, read := r.written.resolve(parse(w.Form)), r.reads.resolve(parse(f.Form))
	switch {
	case w.Quoted != f.Quoted, written.Kind != read.Kind, (written.structure == nil) != (read.structure == nil):
		return false
	case written.Kind == wireschema.Named && written.structure == nil:
		return readsBasic(written, read)
	}
	return true
}

// couldBe reports whether a new field reads all values of one that is gone.
func (r *reading) couldBe(w, f wireschema.Field) bool {
	probe := r.of(r.root)
	probe.seen, probe.isProbe = maps.Clone(r.seen), true
	probe.field(w, f, "")
	return len(probe.losses) == 0
}

// hasMember reports whether a field is an object that has a member.
func (r *reading) hasMember(x *index, f wireschema.Field, name string) bool {
	s := x.resolve(parse(f.Form))
	if s.Kind == wireschema.Pointer {
		s = x.resolve(*s.Element)
	}
	if s.structure == nil {
		return false
	}
	_, ok := fieldOf(*s.structure, name)
	return ok
}
