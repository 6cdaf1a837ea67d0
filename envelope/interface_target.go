package envelope

import (
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// An interfaceTarget is an interface type that values are read into. Messages choose their types.
type interfaceTarget struct {
	goType reflect.Type
	// assertion is nil for interfaces that are known at run time only.
	assertion assertion
}

var anyTarget = interfaceTarget{goType: reflect.TypeFor[any](), assertion: assertionTo[any]{}}

// An assertion is to an interface type that is known at compile time, which is quicker than by reflection.
type assertion interface {
	// holds reports whether the value, which is not nil, implements the interface.
	holds(value any) bool
	// set sets a variable of the interface type to a value that implements it, or to nil.
	set(v reflect.Value, value any)
}

type assertionTo[I any] struct{}

func (assertionTo[I]) holds(value any) bool {
	_, ok := value.(I)
	return ok
}

func (assertionTo[I]) set(v reflect.Value, value any) {
	*v.Addr().Interface().(*I), _ = value.(I)
}

// maxSample bounds, in bytes, the samples that are kept of types: messages may name long arrays.
const maxSample = 1 << 10

func sampleOf(t reflect.Type) any {
	if sizeOf(t) > maxSample {
		return nil
	}
	return reflect.Zero(t).Interface()
}

// admits reports whether values of the type implement the interface.
func (t *interfaceTarget) admits(info *typeInfo) bool {
	if t.assertion == nil || info.sample == nil {
		return info.goType.Implements(t.goType)
	}
	return t.assertion.holds(info.sample)
}

// checkChosen refuses a type that a message has chosen for the target if it may not, or cannot, stand there.
func (i *typeInfo) checkChosen(target *interfaceTarget) error {
	if i.staticOnly {
		return faults.Newf(ErrTypeMismatch, "%s is StaticOnly: a message cannot choose it: "+
			"send it where its Go type is named, or register it without envelope.StaticOnly()", i.expression)
	}
	if !target.admits(i) {
		return i.doesNotImplement(target.goType)
	}
	return nil
}

// chosen returns what is known of the type that an envelope names, if values of it may stand in a target of the given
// interface type.
func (d *decoder) chosen(expression string, target reflect.Type) (*typeInfo, error) {
	info, err := d.typeInfoNamed(expression)
	if err != nil {
		return nil, err
	}
	return info, info.checkChosen(&interfaceTarget{goType: target})
}
