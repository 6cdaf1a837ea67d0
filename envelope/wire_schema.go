package envelope

import (
	"cmp"
	"context"
	"reflect"
	"slices"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// Schema describes how all that is registered stands on the wire: for package wirelock, which tells what a change of it
// breaks, and for readers in other languages. It needs every type to be registered, and describes what cannot be
// carried, which [Registry.Check] finds, by its Go name. Equal registrations give equal schemas.
//
// What a codec, a converter or a marshaler of a type writes is theirs: the schema has their names, and the type that a
// converter leads to.
func (r *Registry) Schema() *wireschema.Schema {
	current := r.catalog.Load()
	d := schemaBuilder{types: current.types, settings: &r.settings, names: map[reflect.Type]string{}, taken: map[string]bool{}}
	s := &wireschema.Schema{Settings: r.settings.describe()}
	for _, registered := range current.types.sorted() {
		if registered.goType.Kind() == reflect.Interface {
			s.Interfaces = append(s.Interfaces, d.describeInterface(registered))
			continue
		}
		s.Types = append(s.Types, d.describe(registered))
	}
	s.Types = append(s.Types, d.unregistered()...)
	slices.SortFunc(s.Types, func(a, b wireschema.Type) int { return cmp.Compare(a.Name, b.Name) })
	s.Try = r.tryVersion
	return s
}

func (s *settings) describe() wireschema.Settings {
	described := wireschema.Settings{
		RefusesUnknown:    s.refuseUnknown,
		AllowsUnencrypted: s.allowUnencrypted,
		Encodings:         s.describeEncodings(s.encodings),
	}
	switch {
	case s.store != nil && s.threshold < s.limits.MaxBytes:
		described.Store = "written"
	case s.store != nil:
		described.Store = "read"
	}
	switch {
	case s.encryptAll:
		described.Encryption = "all"
	case s.aead != nil:
		described.Encryption = "marked"
	}
	return described
}

func (s *settings) describeEncodings(encodings []Encoding) []string {
	names := make([]string, 0, len(encodings))
	for _, encoding := range encodings {
		name := encoding.Name()
		if compression, ok := encoding.(Compression); ok {
			name += "?"
			if !compression.IsWorthwhile(s.limits.MaxBytes) {
				name += "-"
			}
		}
		names = append(names, name)
	}
	return names
}

// tryVersion reads data as a value of a version of a registered type, whatever the codec.
func (r *Registry) tryVersion(ctx context.Context, name string, version int, data string) error {
	current := r.catalog.Load()
	registered, ok := current.types.byName[name]
	if !ok {
		return rooted(name, faults.Newf(ErrUnknownType, "unknown type %s", name))
	}
	read, err := current.planAt(registered.goType, header{expression: name, version: version, codec: jsonCodec})
	if err != nil {
		return rooted(name, err)
	}
	d := newDecoder(ctx, r, data)
	defer d.release()
	d.encrypted = true // as if it had been
	if err := read.decode(d, reflect.New(registered.goType).Elem()); err != nil {
		return rooted(name, err)
	}
	return rooted(name, checkEnd(&d.in))
}
