package envelope

import (
	"reflect"
	"strings"
)

// resolve finds or makes the Go type that an expression from a message stands for.
func (c *catalog) resolve(x *expression) (reflect.Type, error) {
	if x.kind == namedType {
		return c.typeNamed(x.name)
	}
	text := x.String()
	if w, ok := c.wireOf(text); ok {
		return w.goType, nil
	}
	element, err := c.resolve(x.element)
	if err != nil {
		return nil, err
	}
	switch x.kind {
	case pointerTo:
		return c.registry.composite(text, func() reflect.Type { return reflect.PointerTo(element) })
	case sliceOf:
		return c.registry.composite(text, func() reflect.Type { return reflect.SliceOf(element) })
	case arrayOf:
		if longest := c.registry.settings.maxArrayLength; !x.isWithin(longest) {
			return nil, limited("MaxArrayLength", longest)
		}
		return c.registry.composite(text, func() reflect.Type { return reflect.ArrayOf(x.length, element) })
	}
	key, err := c.resolveKey(x.key)
	if err != nil {
		return nil, err
	}
	return c.registry.composite(text, func() reflect.Type { return reflect.MapOf(key, element) })
}

func (c *catalog) resolveKey(x *expression) (reflect.Type, error) {
	key, err := c.resolve(x)
	if err != nil {
		return nil, err
	}
	if _, err := c.keyPlanFor(key); err != nil {
		return nil, err
	}
	if !key.Comparable() {
		return nil, faultf(ErrUnsupported, "map keys of type %s cannot be carried", key)
	}
	return key, nil
}

// isWithin tells whether an array, with arrays of arrays multiplied out, has at most the given number of elements.
func (x *expression) isWithin(longest int) bool {
	for product := 1; x.kind == arrayOf; x = x.element {
		if x.length > longest/product {
			return false
		}
		product *= max(x.length, 1)
	}
	return true
}

// composite returns the type made for an expression, now or earlier.
func (r *Registry) composite(text string, make func() reflect.Type) (reflect.Type, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if made, ok := r.composites[text]; ok {
		return made, nil
	}
	if len(r.composites) >= r.settings.maxTypes {
		return nil, limited("MaxTypes", r.settings.maxTypes)
	}
	made := make()
	r.composites[strings.Clone(text)] = made
	return made, nil
}

// fits tells whether data of an expression's type is written as values of t are, so that it can be read into
// them. No type is made for it.
func (c *catalog) fits(x *expression, t reflect.Type) bool {
	if x.kind == namedType {
		return c.fitsNamed(x.name, t)
	}
	if known, ok := builtinByType[t]; ok && known.name != "" || !c.isByKind(t) {
		return false
	}
	switch x.kind {
	case pointerTo:
		return t.Kind() == reflect.Pointer && c.fits(x.element, t.Elem())
	case sliceOf:
		return t.Kind() == reflect.Slice && c.fits(x.element, t.Elem())
	case arrayOf:
		return t.Kind() == reflect.Array && t.Len() == x.length && c.fits(x.element, t.Elem())
	}
	return t.Kind() == reflect.Map && c.fits(x.key, t.Key()) && c.fits(x.element, t.Elem())
}

func (c *catalog) fitsNamed(name string, t reflect.Type) bool {
	named, err := c.typeNamed(name)
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
	return isBasic(named) && named.Kind() == t.Kind() && c.isByKind(t)
}

// isBasic tells whether t is one of Go's predeclared types.
func isBasic(t reflect.Type) bool {
	_, ok := basicPlans[t.Kind()]
	return ok && t.PkgPath() == ""
}

// isByKind tells whether values of t are written by its kind alone: t has no converter, codec or marshalers.
func (c *catalog) isByKind(t reflect.Type) bool {
	if registered, ok := c.byType[t]; ok && registered.isWhole() {
		return false
	}
	own, err := marshalersOf(t)
	return own == noMarshalers && err == nil
}

// unknownName returns the error for the first name in an expression that stands for no type.
func (c *catalog) unknownName(x *expression) error {
	for ; x != nil; x = x.element {
		if x.kind == namedType {
			_, err := c.typeNamed(x.name)
			return err
		}
		if x.key == nil {
			continue
		}
		if err := c.unknownName(x.key); err != nil {
			return err
		}
	}
	return nil
}
