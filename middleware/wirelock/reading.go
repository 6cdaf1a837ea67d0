package wirelock

import (
	"fmt"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// A direction is who reads whom.
type direction int

const (
	past   direction = iota // what was written by the old schema is read by the new one
	future                  // what is written by the new schema is read by the old one
)

// A loss is a place at which what one side writes is misread or refused by the other.
type loss struct {
	direction direction
	where     string
	what      string
	// root is the registered type, or the task, whose values are hurt.
	root string
	// result reports whether it is a result of a task, argument whether it is a parameter or the task itself.
	result, argument bool
	remedy           string
	// order is said in the place of the general order.
	order string
}

// A reading finds out what is lost when one side reads what the other wrote.
type reading struct {
	direction      direction
	written, reads *index
	root           string
	// seen are the pairs of structs that were compared, within the pairs of forms that are being compared.
	seen, within map[[2]string]bool
	// isProbe reports whether it only finds out if there is any loss. See couldBe.
	isProbe bool
	losses  []loss
}

func (r *reading) lose(where, format string, args ...any) {
	r.losses = append(r.losses, loss{direction: r.direction, where: where, what: fmt.Sprintf(format, args...), root: r.root})
}

// of begins anew for another root.
func (r *reading) of(root string) *reading {
	return &reading{
		direction: r.direction, written: r.written, reads: r.reads, root: root,
		seen: map[[2]string]bool{}, within: map[[2]string]bool{},
	}
}

// forms compares the values of two forms at a static position.
func (r *reading) forms(written, read, where string) {
	r.values(parse(written), parse(read), where)
}

func (r *reading) values(w, f wireschema.Form, where string) {
	pair := [2]string{w.String(), f.String()}
	if r.within[pair] {
		return
	}
	r.within[pair] = true
	defer delete(r.within, pair)
	written, read := r.written.resolve(w), r.reads.resolve(f)
	if written.codec != read.codec {
		r.lose(where, "codec %s becomes %s, and nothing says so inside other types", codecName(r.old(written, read).codec), codecName(r.new(written, read).codec))
		return
	}
	if r.interfaces(written, read, where) {
		return
	}
	if writesNull(written) && !readsNull(read) {
		r.lose(where, "%s, so that null is refused", r.becomes(w, f))
		return
	}
	if written.Kind == wireschema.Pointer || read.Kind == wireschema.Pointer {
		r.values(dereferenced(written.Form, w), dereferenced(read.Form, f), where)
		return
	}
	if !r.composites(written, read, where) && !readsBasic(written, read) {
		r.lose(where, "%s", r.becomes(w, f))
	}
}

// old and new tell which of both is of the old schema.
func (r *reading) old(written, read shape) shape {
	if r.direction == past {
		return written
	}
	return read
}

func (r *reading) new(written, read shape) shape {
	if r.direction == past {
		return read
	}
	return written
}

func (r *reading) becomes(written, read wireschema.Form) string {
	if r.direction == future {
		written, read = read, written
	}
	return fmt.Sprintf("%s becomes %s", label(written.String()), label(read.String()))
}

func codecName(codec string) string {
	if codec == "" {
		return "json"
	}
	return codec
}

// dereferenced is what a pointer points to; other forms stay as they are named.
func dereferenced(resolved, named wireschema.Form) wireschema.Form {
	if resolved.Kind == wireschema.Pointer {
		return *resolved.Element
	}
	return named
}

// interfaces compares forms of which one is an interface, and reports whether that is so.
func (r *reading) interfaces(written, read shape, where string) bool {
	_, writes := r.written.interfaces[written.Name]
	_, reads := r.reads.interfaces[read.Name]
	writesAny, readsAny := isAny(written), isAny(read)
	switch {
	case readsAny && (writesAny || writes):
	case readsAny:
		if r.written.hasLargeNumbers(written) {
			r.lose(where, "%s: large numbers arrive rounded", r.becomes(written.Form, read.Form))
		}
	case writesAny, writes != reads:
		r.lose(where, "%s", r.becomes(written.Form, read.Form))
	case writes && reads:
		r.choices(written.Name, read.Name)
	default:
		return false
	}
	return true
}

func isAny(s shape) bool { return s.Kind == wireschema.Named && s.Name == "any" }

// choices compares the types that may stand in an interface.
func (r *reading) choices(written, read string) {
	for _, choice := range r.written.interfaces[written].Types {
		if !r.reads.mayChoose(read, choice) {
			verb := "is no longer taken"
			if r.direction == future {
				verb = "is new"
			}
			r.lose("interface "+read, "%s %s", choice, verb)
		}
	}
}

// mayChoose reports whether an interface takes a type, or the pointer to one.
func (x *index) mayChoose(name, choice string) bool {
	element := strings.TrimPrefix(choice, "*")
	for _, candidate := range x.interfaces[name].Types {
		if candidate == x.canonical(element) || candidate == "*"+x.canonical(element) && choice != element {
			return true
		}
	}
	return false
}

func isNamed(s shape, name string) bool { return s.Kind == wireschema.Named && s.Name == name }

// writesNull reports whether null is among what a form writes, readsNull whether it is read.
func writesNull(s shape) bool {
	switch s.Kind {
	case wireschema.Pointer, wireschema.List, wireschema.Map:
		return true
	}
	return isNamed(s, "json.RawMessage") || isNamed(s, "json.Number")
}

func readsNull(s shape) bool { return writesNull(s) || s.Kind == wireschema.OwnJSON }

// composites compares forms that consist of others, and reports whether it has done so.
func (r *reading) composites(written, read shape, where string) bool {
	switch {
	case isNamed(read, "json.RawMessage"):
	case written.structure != nil && read.structure != nil:
		r.structs(*written.structure, *read.structure)
	case written.structure != nil && read.Kind == wireschema.Map && read.Key.String() == "string":
		for _, field := range written.structure.Fields {
			r.values(parse(field.Form), *read.Element, where)
		}
	case isBytes(written) || isBytes(read):
		return isBytes(written) && isBytes(read)
	case written.Kind == wireschema.Array && read.Kind == wireschema.Array && written.Length != read.Length:
		return false
	case isSequence(written) && (read.Kind == wireschema.List || read.Kind == written.Kind && read.Kind == wireschema.Array):
		r.values(*written.Element, *read.Element, where)
	case written.Kind == wireschema.Map && read.Kind == wireschema.Map:
		if !readsKey(written.Key.String(), read.Key.String()) {
			return false
		}
		r.values(*written.Element, *read.Element, where)
	default:
		return false
	}
	return true
}

func isSequence(s shape) bool { return s.Kind == wireschema.List || s.Kind == wireschema.Array }

// isBytes reports whether values are written as base64.
func isBytes(s shape) bool { return s.Kind == wireschema.List && s.Element.String() == "uint8" }
