package envelope

import (
	"reflect"
)

// A slicePlan writes a slice as an array, and null for nil.
type slicePlan struct {
	goType  reflect.Type
	element plan
}

func (p *planner) slice(t reflect.Type) plan {
	if isByte(t.Elem()) {
		return namedBytesPlan{}
	}
	result := keep(p, t, &slicePlan{goType: t})
	result.element = p.step("[]", t.Elem())
	return result
}

func (p *slicePlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return appendNull(buf), nil
	}
	address, length := v.Pointer(), v.Len()
	if err := e.open(len(buf), length); err != nil {
		return buf, err
	}
	if err := e.visit(p.goType, address, length); err != nil {
		return buf, err
	}
	buf, err := encodeElements(e, p.element, buf, v)
	if err != nil {
		return buf, err
	}
	e.unvisit(p.goType, address, length)
	e.leave()
	return buf, nil
}

// encodeElements writes all elements of a slice or array, in brackets.
func encodeElements(e *encoder, element plan, buf []byte, v reflect.Value) ([]byte, error) {
	var err error
	buf = append(buf, '[')
	for i := range v.Len() {
		if i > 0 {
			buf = append(buf, ',')
		}
		if buf, err = element.encode(e, buf, v.Index(i)); err != nil {
			return buf, withinElement(i, err)
		}
	}
	return append(buf, ']'), nil
}

func (p *slicePlan) decode(d *decoder, v reflect.Value) error {
	if d.null() {
		return nil
	}
	empty, err := d.open('[', ']', "an array")
	if err != nil {
		return err
	}
	if empty {
		v.Set(reflect.MakeSlice(p.goType, 0, 0))
		return nil
	}
	size := least(p.element)
	for i, more := 0, true; more; i++ {
		if err := d.count(); err != nil {
			return err
		}
		if err := d.fits(size); err != nil {
			return withinElement(i, err)
		}
		grow(v, i)
		if err := p.element.decode(d, v.Index(i)); err != nil {
			return withinElement(i, err)
		}
		if more, err = d.more(']'); err != nil {
			return err
		}
	}
	return nil
}

// grow makes room for one more element, which is zero.
func grow(v reflect.Value, length int) {
	if length == v.Cap() {
		v.Grow(1)
	}
	v.SetLen(length + 1)
}
