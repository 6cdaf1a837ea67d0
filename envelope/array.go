package envelope

import (
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
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
	return decodeArray(d, p.length, func(i int) error {
		return p.element.decode(d, v.Index(i))
	})
}

// decodeArray reads an array of exactly the given length.
func decodeArray(d *decoder, length int, element func(i int) error) error {
	empty, err := d.in.OpenArray()
	if err != nil {
		return err
	}
	read := 0
	for more := !empty; more; read++ {
		if read == length {
			return faults.Newf(ErrTypeMismatch, "array has more than %d elements", length)
		}
		if err := element(read); err != nil {
			return withinElement(read, err)
		}
		if more, err = d.in.More(']'); err != nil {
			return err
		}
	}
	if read < length {
		return faults.Newf(ErrTypeMismatch, "array has %d elements, not %d", read, length)
	}
	return nil
}
