package envelope

import (
	"reflect"
)

// A pointerPlan writes what the pointer points to, and null for nil.
type pointerPlan struct {
	goType  reflect.Type
	element plan
}

func (p *planner) pointer(t reflect.Type) plan {
	if p.catalog.isEndless(t) {
		return p.fail(faultf(ErrUnsupported, "%s leads back to itself", t))
	}
	result := keep(p, t, &pointerPlan{goType: t})
	result.element = p.plan(t.Elem())
	return result
}

// isEndless tells whether pointers and converters lead from t back to itself, with no value ever reached.
func (c *catalog) isEndless(t reflect.Type) bool {
	seen := map[reflect.Type]bool{}
	for !seen[t] {
		seen[t] = true
		registered := c.byType[t]
		switch {
		case registered != nil && registered.codec != nil:
			return false
		case registered != nil && registered.converter != nil:
			t = registered.converter.wireType
		case t.Kind() == reflect.Pointer:
			t = t.Elem()
		default:
			return false
		}
	}
	return true
}

func (p *pointerPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return appendNull(buf), nil
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
		return buf, unsupported("pointer to a nil value would arrive as a nil pointer")
	}
	return buf, nil
}

func (p *pointerPlan) decode(d *decoder, v reflect.Value) error {
	if d.null() {
		return nil
	}
	if err := d.fits(least(p.element)); err != nil {
		return err
	}
	element := reflect.New(p.goType.Elem())
	v.Set(element)
	return p.element.decode(d, element.Elem())
}
