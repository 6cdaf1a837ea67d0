package envelope

import (
	"encoding/json"
	"reflect"
)

// A matcher compares the type expressions of messages with the types that values are read into.
type matcher struct{ types *typeSet }

// fits reports whether data of an expression's type is written as values of t are, so that it can be read into them. No
// type is made for that.
func (m matcher) fits(x *expression, t reflect.Type) bool {
	if x.kind == namedType {
		return m.fitsNamed(x.name, t)
	}
	if isBuiltin(t) || !m.types.isByKind(t) {
		return false
	}
	switch x.kind {
	case pointerTo:
		return t.Kind() == reflect.Pointer && m.fits(x.element, t.Elem())
	case sliceOf:
		return t.Kind() == reflect.Slice && m.fitsElement(x.element, t.Elem())
	case arrayOf:
		return t.Kind() == reflect.Array && t.Len() == x.length && m.fitsElement(x.element, t.Elem())
	}
	return t.Kind() == reflect.Map && m.fits(x.key, t.Key()) && m.fitsElement(x.element, t.Elem())
}

// fitsElement is fits for the elements of a composite: a *T fits a T that null does not fit, and a T fits a *T.
func (m matcher) fitsElement(x *expression, t reflect.Type) bool {
	switch {
	case m.fits(x, t):
		return true
	case t.Kind() == reflect.Pointer:
		return m.fits(x, t.Elem())
	default:
		return x.kind == pointerTo && m.refusesNull(t) && m.fits(x.element, t)
	}
}

// refusesNull reports whether reading null into a t is an error. Others would take it for a nil of their own.
func (m matcher) refusesNull(t reflect.Type) bool {
	if registered := m.types.byType[t]; registered != nil && registered.converter != nil && registered.codec == nil {
		return m.types.isEndless(t) || m.refusesNull(registered.converter.wireType)
	}
	if t == reflect.TypeFor[json.Number]() {
		return false
	}
	switch t.Kind() {
	case reflect.Interface, reflect.Pointer, reflect.Slice, reflect.Map:
		return false
	}
	return true
}

func (m matcher) fitsNamed(name string, t reflect.Type) bool {
	named, err := m.types.typeNamed(name)
	if err != nil {
		return false
	}
	if named == t {
		return true
	}
	if name == anyName {
		return t.Kind() == reflect.Interface && t.NumMethod() == 0
	}
	if _, ok := builtinByType[t]; ok {
		return false
	}
	return isBasic(named) && named.Kind() == t.Kind() && m.types.isByKind(t)
}

// isBasic reports whether t is one of Go's predeclared types.
func isBasic(t reflect.Type) bool {
	_, ok := basicPlans[t.Kind()]
	return ok && t.PkgPath() == ""
}

// checkTarget refuses an expression's type if it does not fit the target type. Ask before a payload is fetched and
// undone.
func (d *decoder) checkTarget(x *expression, target reflect.Type) error {
	match := matcher{d.catalog.types}
	switch {
	case x.name == anyName:
		return nil
	case target.Kind() == reflect.Interface:
		_, err := d.chosen(x.String(), target)
		return err
	case match.fits(x, target), x.kind == pointerTo && match.fits(x.element, target),
		target.Kind() == reflect.Pointer && match.fits(x, target.Elem()):
		return nil
	}
	return cures{d.catalog.types}.misfit(x, target)
}
