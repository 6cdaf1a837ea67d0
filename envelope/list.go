package envelope

import (
	"reflect"
)

// A listPlan is a slicePlan for elements of a basic type, without reflection on each of them.
type listPlan[E any] struct {
	write func(buf []byte, element E) ([]byte, error)
	read  func(d *decoder) (E, error)
}

func (p listPlan[E]) encode(e *encoder, buf []byte, v reflect.Value) (_ []byte, err error) {
	list := *v.Addr().Interface().(*[]E)
	if list == nil {
		return appendNull(buf), nil
	}
	if err := e.open(len(buf), len(list)); err != nil {
		return buf, err
	}
	buf = append(buf, '[')
	for i, element := range list {
		if i > 0 {
			buf = append(buf, ',')
		}
		if buf, err = p.write(buf, element); err != nil {
			return buf, withinElement(i, err)
		}
	}
	e.leave()
	return append(buf, ']'), nil
}

func (p listPlan[E]) decode(d *decoder, v reflect.Value) error {
	if d.null() {
		return nil
	}
	empty, err := d.open('[', ']', "an array")
	if err != nil {
		return err
	}
	list := []E{}
	for i, more := 0, !empty; more; i++ {
		if err := d.count(); err != nil {
			return err
		}
		element, err := p.read(d)
		if err != nil {
			return withinElement(i, err)
		}
		list = append(list, element)
		if more, err = d.more(']'); err != nil {
			return err
		}
	}
	*v.Addr().Interface().(*[]E) = list
	return nil
}
