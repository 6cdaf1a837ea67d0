package envelope

import (
	"reflect"
	"strings"
	"sync"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// A resolver finds or makes the Go types that the type expressions of one envelope stand for.
type resolver struct {
	catalog *catalog
	// newTypes is how many types were made for the envelope.
	newTypes int
}

// resolve finds or makes the Go type that an expression from a message stands for.
func (r *resolver) resolve(x *expression) (reflect.Type, error) {
	if x.kind == namedType {
		return r.catalog.types.typeNamed(x.name)
	}
	text := x.String()
	if info, ok := r.catalog.byExpression(text); ok {
		return info.goType, nil
	}
	element, err := r.resolve(x.element)
	if err != nil {
		return nil, err
	}
	make, err := r.maker(x, element)
	if err != nil {
		return nil, err
	}
	if x.isReserved() {
		return make(), nil
	}
	return r.catalog.composites.get(text, r, make)
}

// maker returns the function that makes the type of a composite expression from that of its elements.
func (r *resolver) maker(x *expression, element reflect.Type) (func() reflect.Type, error) {
	switch x.kind {
	case pointerTo:
		return func() reflect.Type { return reflect.PointerTo(element) }, nil
	case sliceOf:
		return func() reflect.Type { return reflect.SliceOf(element) }, nil
	case arrayOf:
		if longest := r.catalog.settings.limits.MaxArrayLength; x.isArrayLongerThan(longest) {
			return nil, faults.Limited("MaxArrayLength", longest)
		}
		return func() reflect.Type { return reflect.ArrayOf(x.length, element) }, nil
	}
	key, err := r.resolveKey(x.key)
	return func() reflect.Type { return reflect.MapOf(key, element) }, err
}

func (r *resolver) resolveKey(x *expression) (reflect.Type, error) {
	key, err := r.resolve(x)
	if err != nil {
		return nil, err
	}
	if _, err := r.catalog.types.keyPlanFor(key); err != nil {
		return nil, err
	}
	if !key.Comparable() {
		return nil, cures{r.catalog.types}.keysCannotTravel(key)
	}
	return key, nil
}

// isReserved reports whether the expression is *T, []T or map[string]T of a named type T. There are no more of these
// than there are names, so that messages may have them made at any time.
func (x *expression) isReserved() bool {
	if x.element.kind != namedType {
		return false
	}
	return x.kind == pointerTo || x.kind == sliceOf || x.kind == mapOf && x.key.name == "string"
}

// checkNull refuses null for an array, whose type would be made in vain.
func (d *decoder) checkNull(x *expression) error {
	if x.kind == arrayOf && d.in.Peek() == 'n' {
		return faults.Newf(ErrTypeMismatch, "null does not fit %s", x)
	}
	return nil
}

// A compositeTypes holds the pointer, slice, array and map types that messages caused to be made in the life of a
// registry.
type compositeTypes struct {
	mutex  sync.Mutex
	byText map[string]reflect.Type
}

// get returns the type made for an expression, now or earlier. It returns ErrLimit if too many were made, for the
// envelope of r or in all.
func (c *compositeTypes) get(text string, r *resolver, make func() reflect.Type) (reflect.Type, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if made, ok := c.byText[text]; ok {
		return made, nil
	}
	limits := &r.catalog.settings.limits
	if len(c.byText) >= limits.MaxTypes {
		return nil, faults.Limited("MaxTypes", limits.MaxTypes)
	}
	if r.newTypes >= limits.MaxNewTypes {
		return nil, faults.Limited("MaxNewTypes", limits.MaxNewTypes)
	}
	r.newTypes++
	made := make()
	c.byText[strings.Clone(text)] = made
	return made, nil
}
