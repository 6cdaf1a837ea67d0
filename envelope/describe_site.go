package envelope

import (
	"reflect"
)

// A site is what is known of a value's type from what holds it.
type site struct {
	// composite is set where the type is one that a message names and that is made up of others, else goType.
	composite *expression
	goType    reflect.Type
	// version is the schema version of the registered type that the type is or is made up of: 0 for the current one.
	version int
	// hidden is set if the value may not be shown, whatever it is.
	hidden bool
}

func siteOf(types *typeSet, x *expression, version int) site {
	if x.kind != namedType {
		return site{composite: x, version: version}
	}
	t, err := types.typeNamed(x.name)
	if err != nil {
		return anySite
	}
	return site{goType: t, version: version}
}

// anySite is where nothing is known of a value, which may stand in a nested envelope: in interfaces, in what marshalers
// write, and in members without a field.
var anySite = site{goType: anyTarget.goType}

// kind returns the kind of the site's type.
func (s site) kind() reflect.Kind {
	if s.composite != nil {
		return [...]reflect.Kind{pointerTo: reflect.Pointer, sliceOf: reflect.Slice, arrayOf: reflect.Array, mapOf: reflect.Map}[s.composite.kind]
	}
	return s.goType.Kind()
}

// element is the site of what a pointer points to, and of the elements of a slice, array or map.
func (s site) element(types *typeSet) site {
	if s.composite != nil {
		return siteOf(types, s.composite.element, s.version)
	}
	return site{goType: s.goType.Elem()}
}

// hasSecret reports whether values at a site are, or may statically hold, values of a [Secret] type.
func (d *describer) hasSecret(s site) bool {
	if s.composite != nil {
		return s.composite.anyNamed(d.catalog.types, d.holdsSecret)
	}
	return d.holdsSecret(s.goType)
}

func (d *describer) holdsSecret(t reflect.Type) bool {
	holds, ok := d.secrets[t]
	if !ok {
		holds = d.catalog.types.holds(t, isSecret)
		d.secrets[t] = holds
	}
	return holds
}

// hasSecretKeys reports whether the keys of a map are, or hold, values of a [Secret] type.
func (d *describer) hasSecretKeys(s site) bool {
	if s.composite != nil {
		return s.composite.key.anyNamed(d.catalog.types, d.holdsSecret)
	}
	return d.holdsSecret(s.goType.Key())
}

// maxSteps bounds how often pointers and converters are followed, as types may lead back to themselves.
const maxSteps = 100

// written follows pointers, converters and versions to the type that a value is written as. A site that has to be hidden
// comes with the name of the type for which it is: a secret one, or one that holds a secret whose place in the JSON is
// not known, as it is not written by its definition.
func (d *describer) written(s site) (_ site, hiding string) {
	types := d.catalog.types
	for range maxSteps {
		registered := types.byType[s.goType]
		isType := s.goType != nil && s.kind() != reflect.Interface
		switch {
		case registered != nil && registered.secret:
			return site{hidden: true}, registered.name
		case registered != nil && s.version != 0 && s.version != registered.version:
			s = olderSite(registered, s.version)
		case registered != nil && registered.converter != nil && registered.codec == nil:
			s = site{goType: registered.converter.wireType}
		case isType && !isBuiltin(s.goType) && !types.isByKind(s.goType) && d.hasSecret(s):
			return site{hidden: true}, types.label(s.goType)
		case isType && (isBuiltin(s.goType) || !types.isByKind(s.goType)):
			return anySite, ""
		case s.kind() == reflect.Pointer:
			s = s.element(types)
		default:
			return s, ""
		}
	}
	return anySite, ""
}

// olderSite is the site of a value that was written in an older version. Nothing is known of versions without an Upgrade.
func olderSite(r *registration, version int) site {
	steps := r.upgradesFrom(version)
	if len(steps) == 0 {
		return anySite
	}
	return site{goType: steps[0].oldType}
}

// memberSites returns what finds the sites of a struct's members by their names.
func (d *describer) memberSites(t reflect.Type) func(name string) site {
	known := d.catalog.types.membersOf(t)
	// Where the struct holds a secret, members without a field may be it under another name.
	other := anySite
	other.hidden = d.holdsSecret(t)
	return func(name string) site {
		position, ok := known.named(name)
		if !ok {
			position, ok = known.likeNamed(name)
		}
		if !ok {
			return other
		}
		return site{goType: known.fields[position].goType}
	}
}
