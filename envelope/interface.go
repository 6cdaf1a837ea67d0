package envelope

import (
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// An interfacePlan is for registered interfaces. What stands in them travels in an envelope of its own, which names a
// registered type.
type interfacePlan struct{ target interfaceTarget }

func (*interfacePlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return jsontext.AppendNull(buf), nil
	}
	return e.nested(buf, v.Elem())
}

// nested writes a value in an envelope inside another.
func (e *encoder) nested(buf []byte, v reflect.Value) ([]byte, error) {
	info, err := e.catalog.typeInfo(v.Type())
	if err != nil {
		return buf, err
	}
	if err := info.checkDynamic(&e.settings.limits); err != nil {
		return buf, err
	}
	if err := e.enter(len(buf)); err != nil {
		return buf, err
	}
	e.encrypted = e.encrypted || info.encrypted
	if buf, err = e.envelope(buf, info, v); err != nil {
		return buf, withinDynamic(info.expression, err)
	}
	e.leave()
	return buf, nil
}

// envelope writes a value in an envelope.
func (e *encoder) envelope(buf []byte, info *typeInfo, v reflect.Value) ([]byte, error) {
	buf = append(buf, info.header...)
	if v.CanAddr() || v.Kind() == reflect.Pointer {
		buf, err := info.plan.encode(e, buf, v)
		return append(buf, '}'), err
	}
	copied := info.scratch.lend()
	copied.value.Set(v)
	buf, err := info.plan.encode(e, buf, copied.value)
	info.scratch.takeBack(copied)
	return append(buf, '}'), err
}

func (p *interfacePlan) decode(d *decoder, v reflect.Value) error {
	if d.in.Null() {
		return nil
	}
	if d.in.Peek() != '{' || !atEnvelope(&d.in) {
		return d.in.Unexpected("an envelope")
	}
	value, err := d.nested(&p.target)
	if err != nil {
		return err
	}
	p.target.assertion.set(v, value)
	return nil
}

// nested reads an envelope inside another, into a value for the target.
func (d *decoder) nested(target *interfaceTarget) (any, error) {
	if err := d.in.Enter(); err != nil {
		return nil, err
	}
	var h header
	info, err := d.nestedHeader(&h)
	if err != nil {
		return nil, err
	}
	if err := info.checkChosen(target); err != nil {
		return nil, err
	}
	if info.encrypted && !d.admitsMarked() {
		return nil, unencrypted(info.expression)
	}
	value, err := d.dynamic(&h, info)
	if err != nil {
		return nil, withinDynamic(info.expression, err)
	}
	d.in.Leave()
	return value, closeEnvelope(&d.in)
}

// nestedHeader reads the header of an envelope inside another, and returns what is known of the type that it names.
func (d *decoder) nestedHeader(h *header) (info *typeInfo, err error) {
	if info, ok := d.takeKnownHeader(); ok {
		*h = header{expression: info.expression, version: info.version, codec: info.codec}
		return info, nil
	}
	if *h, err = readHeader(&d.in); err != nil {
		return nil, err
	}
	if err := h.checkNested(); err != nil {
		return nil, err
	}
	return d.typeInfoNamed(h.expression)
}

// takeKnownHeader takes a header if it is the very text that is written for a type known here, and returns what is
// known of the type. Most headers are, and need not be read key by key.
func (d *decoder) takeKnownHeader() (*typeInfo, bool) {
	expression, ok := d.in.Between(headerStart, '"')
	if !ok {
		return nil, false
	}
	info, ok := d.catalog.byExpression(expression)
	return info, ok && d.in.TakePrefix(info.header)
}

// dynamic reads the data of an envelope into a value of the type that it names.
func (d *decoder) dynamic(h *header, info *typeInfo) (any, error) {
	read := info.plan
	if h.version != info.version || h.codec != info.codec {
		var err error
		if read, err = d.catalog.planAt(info.goType, *h); err != nil {
			return nil, err
		}
	}
	if err := d.in.Fits(least(read)); err != nil {
		return nil, err
	}
	// The value is copied when it is put into the interface.
	if err := d.in.Charge(2 * info.size); err != nil {
		return nil, err
	}
	lent := info.scratch.lend()
	defer info.scratch.takeBack(lent)
	if err := read.decode(d, lent.value); err != nil {
		return nil, err
	}
	return lent.value.Interface(), nil
}
