package envelope

import (
	"reflect"
)

// An arrayPlan writes an array as an array, which has to have exactly its length.
type arrayPlan struct {
	element plan
	length  int
}

func (p *planner) array(t reflect.Type) plan {
	result := keep(p, t, &arrayPlan{length: t.Len()})
	result.element = p.step("[]", t.Elem())
	return result
}

func (p *arrayPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	if err := e.open(len(buf), p.length); err != nil {
		return buf, err
	}
	buf, err := encodeElements(e, p.element, buf, v)
	e.leave()
	return buf, err
}

func (p *arrayPlan) decode(d *decoder, v reflect.Value) error {
	return d.array(p.length, func(i int) error {
		return p.element.decode(d, v.Index(i))
	})
}

// array reads an array of exactly the given length.
func (d *decoder) array(length int, element func(i int) error) error {
	empty, err := d.open('[', ']', "an array")
	if err != nil {
		return err
	}
	read := 0
	for more := !empty; more; read++ {
		if read == length {
			return faultf(ErrTypeMismatch, "array has more than %d elements", length)
		}
		if err := d.count(); err != nil {
			return err
		}
		if err := element(read); err != nil {
			return withinElement(read, err)
		}
		if more, err = d.more(']'); err != nil {
			return err
		}
	}
	if read < length {
		return faultf(ErrTypeMismatch, "array has %d elements, not %d", read, length)
	}
	return nil
}
