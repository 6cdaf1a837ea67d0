package wirelock

import (
	"slices"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// An index finds what a schema says of a name.
type index struct {
	settings   wireschema.Settings
	types      map[string]wireschema.Type // aliases too
	interfaces map[string]wireschema.Interface
	tasks      map[string]wireschema.Task
}

func newIndex(s *wireschema.Schema) *index {
	x := &index{
		settings:   s.Settings,
		types:      map[string]wireschema.Type{},
		interfaces: map[string]wireschema.Interface{},
		tasks:      map[string]wireschema.Task{},
	}
	for _, t := range s.Types {
		for _, alias := range t.Aliases {
			x.types[alias] = t
		}
	}
	for _, t := range s.Types {
		x.types[t.Name] = t
	}
	for _, i := range s.Interfaces {
		x.interfaces[i.Name] = i
	}
	for _, t := range s.Tasks {
		x.tasks[t.Name] = t
	}
	return x
}

// parse takes a form apart that Parse has let through. One that is none is a name that stands for nothing.
func parse(form string) wireschema.Form {
	f, err := wireschema.ParseForm(form)
	if err != nil {
		return wireschema.Form{Kind: wireschema.Named, Name: form}
	}
	return f
}

// shape is what a form comes to when names are followed: a form that is no name of a type with another form, and the
// type if it is a struct or written by a codec.
type shape struct {
	wireschema.Form
	structure *wireschema.Type
	codec     string
}

// resolve follows the names of types to how their values are written.
func (x *index) resolve(f wireschema.Form) shape {
	codec := ""
	for seen := map[string]bool{}; f.Kind == wireschema.Named && !seen[f.Name]; {
		seen[f.Name] = true
		t, ok := x.types[f.Name]
		if !ok {
			break
		}
		codec = t.Codec
		if t.Form == "" {
			return shape{Form: f, structure: &t, codec: codec}
		}
		if codec != "" {
			return shape{Form: parse(t.Form), codec: codec}
		}
		f = parse(t.Form)
	}
	if f.Kind == wireschema.Named && f.Name == "struct" {
		return shape{Form: f, structure: &wireschema.Type{Name: "struct"}}
	}
	return shape{Form: f}
}

// canonical returns the registered name that a name or alias stands for.
func (x *index) canonical(name string) string {
	if t, ok := x.types[name]; ok {
		return t.Name
	}
	return name
}

// isEncrypted reports whether envelopes of a form have to be encrypted.
func (x *index) isEncrypted(form string) bool {
	switch x.settings.Encryption {
	case "all":
		return true
	case "marked":
		return x.reaches(form, func(t wireschema.Type) bool { return t.Encrypted })
	}
	return false
}

// reaches reports whether any type that a form statically holds is such a one.
func (x *index) reaches(form string, is func(wireschema.Type) bool) bool {
	seen := map[string]bool{}
	var search func(f wireschema.Form) bool
	search = func(f wireschema.Form) bool {
		if f.Key != nil && search(*f.Key) || f.Element != nil && search(*f.Element) {
			return true
		}
		t, ok := x.types[f.Name]
		if f.Kind != wireschema.Named || !ok || seen[t.Name] {
			return false
		}
		seen[t.Name] = true
		if is(t) {
			return true
		}
		return slices.ContainsFunc(heldBy(t), func(form string) bool { return search(parse(form)) })
	}
	return search(parse(form))
}

// heldBy lists the forms in the definition of a type, and in those of its older versions.
func heldBy(t wireschema.Type) []string {
	var forms []string
	if t.Form != "" {
		forms = append(forms, t.Form)
	}
	for _, field := range t.Fields {
		forms = append(forms, field.Form)
	}
	for _, upgrade := range t.Upgrades {
		forms = append(forms, upgrade.Form)
	}
	return forms
}

// encodings are those of a type.
func (x *index) encodings(t wireschema.Type) []string {
	if t.Encodings != nil {
		return *t.Encodings
	}
	return x.settings.Encodings
}

// isRegistered reports whether a type has a wire name.
func isRegistered(t wireschema.Type) bool { return !strings.HasPrefix(t.Name, "go:") }

// label is the name of a type for people.
func label(name string) string { return strings.TrimPrefix(strings.TrimPrefix(name, "go:"), "=") }
