package envelope

import (
	"reflect"
)

// An interfacePlan is for registered interfaces. What stands in them travels in an envelope of its own, which
// names a registered type.
type interfacePlan struct{}

func (interfacePlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return appendNull(buf), nil
	}
	return e.nested(buf, v.Elem())
}

// nested writes a value in an envelope inside another.
func (e *encoder) nested(buf []byte, v reflect.Value) ([]byte, error) {
	w, err := e.catalog.wire(v.Type())
	if err != nil {
		return buf, err
	}
	if err := w.checkDynamic(e.settings); err != nil {
		return buf, err
	}
	if err := e.enter(len(buf)); err != nil {
		return buf, err
	}
	e.encrypted = e.encrypted || w.encrypted
	if buf, err = e.envelope(buf, w, v); err != nil {
		return buf, withinDynamic(w.expression, err)
	}
	e.leave()
	return buf, nil
}

// envelope writes a value in an envelope.
func (e *encoder) envelope(buf []byte, w *wire, v reflect.Value) ([]byte, error) {
	buf = append(buf, w.header...)
	buf, err := w.plan.encode(e, buf, addressable(v))
	return append(buf, '}'), err
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
	w, err := d.catalog.chosen(h.expression, place)
	if err != nil {
		return reflect.Value{}, err
	}
	if w.encrypted && !d.admitsMarked() {
		return reflect.Value{}, unencrypted(w.expression)
	}
	value, err := d.dynamic(h, w)
	if err != nil {
		return reflect.Value{}, withinDynamic(w.expression, err)
	}
	d.leave()
	return value, d.endEnvelope()
}

// chosen returns the wire of the type that an envelope names, if that may stand in a place of the given interface type.
func (c *catalog) chosen(expression string, place reflect.Type) (*wire, error) {
	w, err := c.wireNamed(expression)
	if err != nil {
		return nil, err
	}
	if w.staticOnly {
		return nil, faultf(ErrTypeMismatch, "%s is StaticOnly: a message cannot choose it", w.expression)
	}
	if !w.goType.Implements(place) {
		return nil, faultf(ErrTypeMismatch, "%s does not implement %s", w.expression, place)
	}
	return w, nil
}

// dynamic reads the data of an envelope into a new value of the type that it names.
func (d *decoder) dynamic(h header, w *wire) (reflect.Value, error) {
	read := w.plan
	if h.version != w.version || h.codec != w.codec {
		var err error
		if read, err = d.catalog.planAt(w.goType, h); err != nil {
			return reflect.Value{}, err
		}
	}
	if err := d.fits(least(read)); err != nil {
		return reflect.Value{}, err
	}
	value := reflect.New(w.goType).Elem()
	return value, read.decode(d, value)
}
