package envelope

import (
	"reflect"
)

// A listPlan is a slicePlan for elements of a basic type, without reflection on each of them.
type listPlan[E any] struct {
	write func(buf []byte, element E) ([]byte, error)
	read  func(d *decoder) (E, error)
}

func (p listPlan[E]) encode(e *encoder, v reflect.Value) (err error) {
	list := *v.Addr().Interface().(*[]E)
	if list == nil {
		e.null()
		return nil
	}
	if err := e.open(len(list)); err != nil {
		return err
	}
	e.buf = append(e.buf, '[')
	for i, element := range list {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		if e.buf, err = p.write(e.buf, element); err != nil {
			return withinElement(i, err)
		}
	}
	e.buf = append(e.buf, ']')
	e.leave()
	return nil
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
