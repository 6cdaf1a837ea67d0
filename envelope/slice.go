package envelope

import (
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// A slicePlan writes a slice as an array, and null for nil.
type slicePlan struct {
	goType  reflect.Type
	size    int64 // of an element
	element plan
}

func newSlicePlan(t reflect.Type) *slicePlan { return &slicePlan{goType: t, size: sizeOf(t.Elem())} }

func (p *planner) slice(t reflect.Type) plan {
	if isByte(p.types, t.Elem()) {
		return namedBytesPlan{}
	}
	result := keep(p, t, newSlicePlan(t))
	result.element = p.step("[]", t.Elem())
	return result
}

func (p *slicePlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return jsontext.AppendNull(buf), nil
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
	if d.in.Null() {
		return nil
	}
	empty, err := d.in.OpenArray()
	if err != nil {
		return err
	}
	if empty {
		v.Set(reflect.MakeSlice(p.goType, 0, 0))
		return nil
	}
	if err := d.in.Fits(least(p.element)); err != nil {
		return withinElement(0, err)
	}
	capacity, err := d.in.ChargeFirst(p.size)
	if err != nil {
		return err
	}
	v.Grow(capacity)
	return p.decodeElements(d, v)
}

// decodeElements reads the elements, of which there is at least one.
func (p *slicePlan) decodeElements(d *decoder, v reflect.Value) (err error) {
	size, capacity := least(p.element), v.Cap()
	for i, more := 0, true; more; i++ {
		if err := d.in.Fits(size); err != nil {
			return withinElement(i, err)
		}
		if i == capacity {
			if err := d.in.ChargeGrowth(i, capacity, p.size); err != nil {
				return err
			}
			v.Grow(1)
			capacity = v.Cap()
		}
		v.SetLen(i + 1)
		if err := p.element.decode(d, v.Index(i)); err != nil {
			return withinElement(i, err)
		}
		if more, err = d.in.More(']'); err != nil {
			return err
		}
	}
	return nil
}
