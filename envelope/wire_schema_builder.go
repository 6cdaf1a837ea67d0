package envelope

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// A schemaBuilder words how types stand on the wire, as the planner has them written.
type schemaBuilder struct {
	types    *typeSet
	settings *settings
	// names are those of types without a wire name, pending the ones that are yet to be described.
	names   map[reflect.Type]string
	taken   map[string]bool
	pending []reflect.Type
	// within are the types without a wire name, and without fields, that are being described.
	within []reflect.Type
}

func (d *schemaBuilder) describe(r *registration) wireschema.Type {
	described := wireschema.Type{
		Name:       r.name,
		Version:    r.version,
		Aliases:    r.aliases,
		Encrypted:  r.encrypted,
		Secret:     r.secret,
		StaticOnly: r.staticOnly,
	}
	if r.codec != nil {
		described.Codec = r.codec.Name()
	}
	for _, codec := range r.readCodecs {
		described.ReadCodecs = append(described.ReadCodecs, codec.Name())
	}
	if r.encodings != nil {
		own := d.settings.describeEncodings(*r.encodings)
		described.Encodings = &own
	}
	for from := 1; from < r.version; from++ {
		if step, ok := r.upgrades[from]; ok {
			described.Upgrades = append(described.Upgrades, wireschema.Upgrade{From: from, Form: d.form(step.oldType)})
		}
	}
	switch {
	case r.converter != nil:
		described.Converted = true
		described.Form = d.form(r.converter.wireType)
	case r.codec == nil || !isProtobuf(r.goType):
		described.Form, described.Fields = d.definition(r.goType)
	}
	return described
}

// describeInterface lists what a message may choose for an interface.
func (d *schemaBuilder) describeInterface(r *registration) wireschema.Interface {
	described := wireschema.Interface{Name: r.name, Types: []string{}}
	for _, candidate := range d.types.sorted() {
		switch t := candidate.goType; {
		case t.Kind() == reflect.Interface, candidate.staticOnly:
		case t.Implements(r.goType):
			described.Types = append(described.Types, candidate.name)
		case reflect.PointerTo(t).Implements(r.goType):
			described.Types = append(described.Types, "*"+candidate.name)
		}
	}
	return described
}

// unregistered describes the types without a wire name that the others hold.
func (d *schemaBuilder) unregistered() []wireschema.Type {
	var found []wireschema.Type
	for len(d.pending) > 0 {
		t := d.pending[0]
		d.pending = d.pending[1:]
		described := wireschema.Type{Name: d.names[t]}
		described.Form, described.Fields = d.definition(t)
		found = append(found, described)
	}
	return found
}

// definition describes a type by its Go definition: a struct by its fields.
func (d *schemaBuilder) definition(t reflect.Type) (string, []wireschema.Field) {
	if own, ok := d.ownForm(t); ok {
		return own, nil
	}
	if t.Kind() != reflect.Struct {
		return d.named(t), nil
	}
	found := d.types.membersOf(t)
	fields := make([]wireschema.Field, len(found.fields))
	for i, f := range found.fields {
		fields[i] = wireschema.Field{
			Name:    f.name,
			Form:    d.form(f.goType),
			Quoted:  f.quoted && d.types.isByKind(dereferenced(f.goType)),
			Omitted: cmp.Or(omittedWhen(t.FieldByIndex(f.index)), found.omittedBehind(f)),
		}
	}
	return "", fields
}

// omittedBehind says when a field is left out because of the embedded pointers that lead to it.
func (l *layout) omittedBehind(f field) string {
	for _, pointer := range l.pointers {
		if pointer.leadsTo(f.index) {
			return "nil"
		}
	}
	return ""
}

// form says how values of t are written where t stands statically.
func (d *schemaBuilder) form(t reflect.Type) string {
	if known, ok := builtinByType[t]; ok && known.name != "" {
		return known.name
	}
	if registered, ok := d.types.byType[t]; ok {
		return registered.name
	}
	if own, ok := d.ownForm(t); ok {
		return own
	}
	if t.Kind() == reflect.Struct {
		return d.reference(t)
	}
	if slices.Contains(d.within, t) {
		return d.reference(t)
	}
	return d.named(t)
}

// named is byKind for a type that may have a name, and so hold itself.
func (d *schemaBuilder) named(t reflect.Type) string {
	if t.Name() != "" {
		d.within = append(d.within, t)
		defer func() { d.within = d.within[:len(d.within)-1] }()
	}
	return d.byKind(t)
}

// ownForm is the form of a type that writes itself.
func (d *schemaBuilder) ownForm(t reflect.Type) (string, bool) {
	if t.Kind() == reflect.Interface {
		return "", false
	}
	own, oneWay := marshalersOf(t)
	if oneWay != nil {
		return fmt.Sprintf("json(%s)", goName(t)), true
	}
	if own == noMarshalers {
		return "", false
	}
	if t.Kind() == reflect.Struct && isPromoted(t, own) {
		if embedded, _ := newPlanner(d.types).embeddedMarshaler(t, own); embedded.Type != nil && embedded.IsExported() {
			return d.form(embedded.Type), true
		}
	}
	if own == textMarshalers {
		return fmt.Sprintf("text(%s)", goName(t)), true
	}
	return fmt.Sprintf("json(%s)", goName(t)), true
}

func (d *schemaBuilder) byKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + d.form(t.Elem())
	case reflect.Slice:
		if isByte(d.types, t.Elem()) {
			return "[]uint8"
		}
		return "[]" + d.form(t.Elem())
	case reflect.Array:
		return "[" + strconv.Itoa(t.Len()) + "]" + d.form(t.Elem())
	case reflect.Map:
		return "map[" + d.key(t.Key()) + "]" + d.form(t.Elem())
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return anyName
		}
		return goName(t)
	}
	return t.Kind().String()
}

// key says how map keys of type t are written: a converter leads to another type, a definition by kind to none.
func (d *schemaBuilder) key(t reflect.Type) string {
	if registered, ok := d.types.byType[t]; ok && registered.converter != nil && !d.types.isEndless(t) {
		return d.key(registered.converter.wireType)
	}
	if _, ok := libraryKeys[t]; !ok && marshalText.isOf(t) {
		return fmt.Sprintf("text(%s)", goName(t))
	}
	if _, ok := basicKeys[t.Kind()]; ok {
		return t.Kind().String()
	}
	return d.form(t)
}

// reference returns the name of a type without a wire name, and has it described.
func (d *schemaBuilder) reference(t reflect.Type) string {
	if name, ok := d.names[t]; ok {
		return name
	}
	base := "go:" + goName(t)
	if t.Name() == "" {
		base = "go:struct"
	}
	name := base
	for n := 2; d.taken[name]; n++ {
		name = fmt.Sprintf("%s#%d", base, n)
	}
	d.names[t], d.taken[name] = name, true
	d.pending = append(d.pending, t)
	return name
}
