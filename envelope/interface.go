package envelope

import (
	"reflect"
)

// An interfacePlan is for registered interfaces. What stands in them travels in an envelope of its own, which
// names a registered type.
type interfacePlan struct{}

func (interfacePlan) encode(e *encoder, v reflect.Value) error {
	if v.IsNil() {
		e.null()
		return nil
	}
	return e.nested(v.Elem())
}

// nested writes a value in an envelope inside another.
func (e *encoder) nested(v reflect.Value) error {
	w, err := e.catalog.wire(v.Type())
	if err != nil {
		return err
	}
	if w.staticOnly {
		return faultf(ErrUnsupported, "%s is StaticOnly: nobody would open it inside an interface", w.expression)
	}
	if err := e.enter(); err != nil {
		return err
	}
	if err := e.envelope(w, v); err != nil {
		return withinDynamic(w.expression, err)
	}
	e.leave()
	return nil
}

// envelope writes a value in an envelope.
func (e *encoder) envelope(w *wire, v reflect.Value) error {
	e.buf = append(e.buf, w.header...)
	if err := w.plan.encode(e, addressable(v)); err != nil {
		return err
	}
	e.buf = append(e.buf, '}')
	return nil
}

func (interfacePlan) decode(d *decoder, v reflect.Value) error {
	if d.null() {
		return nil
	}
	if d.peek() != '{' || !d.atEnvelope() {
		return d.unexpected("an envelope")
	}
	value, err := d.nested(v.Type())
	if err != nil {
		return err
	}
	v.Set(value)
	return nil
}

func (d *decoder) nestedAny() (any, error) {
	value, err := d.nested(builtinByName[anyName].goType)
	if err != nil {
		return nil, err
	}
	return value.Interface(), nil
}

// nested reads an envelope inside another, for a place of the given interface type.
func (d *decoder) nested(place reflect.Type) (reflect.Value, error) {
	if err := d.enter(); err != nil {
		return reflect.Value{}, err
	}
	h, err := d.header()
	if err != nil {
		return reflect.Value{}, err
	}
	if err := h.checkNested(); err != nil {
		return reflect.Value{}, err
	}
	value, err := d.dynamic(h, place)
	if err != nil {
		return reflect.Value{}, err
	}
	d.leave()
	return value, d.endEnvelope()
}

// dynamic reads the data of an envelope into a new value of the type that it names, if that may stand in the place.
func (d *decoder) dynamic(h header, place reflect.Type) (reflect.Value, error) {
	w, err := d.catalog.wireNamed(h.expression)
	if err != nil {
		return reflect.Value{}, err
	}
	if w.staticOnly {
		return reflect.Value{}, faultf(ErrTypeMismatch, "%s is StaticOnly: a message cannot choose it", w.expression)
	}
	if !w.goType.Implements(place) {
		return reflect.Value{}, faultf(ErrTypeMismatch, "%s does not implement %s", w.expression, place)
	}
	read, err := d.catalog.planAt(w.goType, h)
	if err != nil {
		return reflect.Value{}, err
	}
	if err := d.fits(least(read)); err != nil {
		return reflect.Value{}, err
	}
	value := reflect.New(w.goType).Elem()
	if err := read.decode(d, value); err != nil {
		return reflect.Value{}, withinDynamic(w.expression, err)
	}
	return value, nil
}
