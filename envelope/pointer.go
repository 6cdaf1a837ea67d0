package envelope

import (
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// A pointerPlan writes what the pointer points to, and null for nil.
type pointerPlan struct {
	goType  reflect.Type
	size    int64 // of what it points to
	element plan
	// convert spells the call for elements that are written as null.
	convert string
}

func newPointerPlan(t reflect.Type) *pointerPlan {
	return &pointerPlan{goType: t, size: max(sizeOf(t.Elem()), minAllocation)}
}

func (p *planner) pointer(t reflect.Type) plan {
	if p.types.isEndless(t) {
		return p.fail(faults.Newf(ErrUnsupported, "%s leads back to itself: %s", goName(t), p.callFor(p.nearest(), convertOption)))
	}
	result := keep(p, t, newPointerPlan(t))
	result.convert = p.callFor(t.Elem(), convertOption)
	result.element = p.plan(t.Elem())
	return result
}

func (p *pointerPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return jsontext.AppendNull(buf), nil
	}
	address, start := v.Pointer(), len(buf)
	if err := e.visit(p.goType, address, 0); err != nil {
		return buf, err
	}
	buf, err := p.element.encode(e, buf, v.Elem())
	if err != nil {
		return buf, err
	}
	e.unvisit(p.goType, address, 0)
	if string(buf[start:]) == "null" {
		return buf, p.writtenAsNull()
	}
	return buf, nil
}

// writtenAsNull refuses a pointer that is not nil, and that could not be told from one that is.
func (p *pointerPlan) writtenAsNull() error {
	t := p.goType.Elem()
	if _, ok := builtinByType[t]; ok || isNilable(t) && hasNoMarshalers(t) {
		return faults.Newf(ErrUnsupported,
			"pointer to a nil value would arrive as a nil pointer: send `(%s)(nil)`, or let it point to a value that is not nil",
			goName(p.goType))
	}
	return faults.Newf(ErrUnsupported, "%s is written as null, so that the pointer to it would arrive as nil: "+
		"send `(%s)(nil)`, or %s", goName(t), goName(p.goType), p.convert)
}

func isNilable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return true
	}
	return false
}

func (p *pointerPlan) decode(d *decoder, v reflect.Value) error {
	if d.in.Null() {
		return nil
	}
	if err := d.in.Fits(least(p.element)); err != nil {
		return err
	}
	if err := d.in.Charge(p.size); err != nil {
		return err
	}
	element := reflect.New(p.goType.Elem())
	v.Set(element)
	return p.element.decode(d, element.Elem())
}
