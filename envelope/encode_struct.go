package envelope

import (
	"reflect"
)

func (p *structPlan) encode(e *encoder, buf []byte, v reflect.Value) (_ []byte, err error) {
	if err := e.enter(len(buf)); err != nil {
		return buf, err
	}
	if err := p.refuseHidden(v); err != nil {
		return buf, err
	}
	buf = append(buf, '{')
	start := len(buf)
	for i := range p.fields {
		f := &p.fields[i]
		value, ok := f.of(v)
		if !ok || f.omit != nil && f.omit(value) {
			continue
		}
		if len(buf) > start {
			buf = append(buf, ',')
		}
		buf = append(buf, f.quotedName...)
		if buf, err = f.plan.encode(e, buf, value); err != nil {
			return buf, withinField(f.goName, err)
		}
	}
	e.leave()
	return append(buf, '}'), nil
}

// of finds the field in a struct; there is none behind an embedded pointer that is nil.
func (f *structField) of(v reflect.Value) (reflect.Value, bool) {
	if f.direct >= 0 {
		return v.Field(f.direct), true
	}
	return fieldBehind(v, f.index)
}

func fieldBehind(v reflect.Value, index []int) (reflect.Value, bool) {
	for i, at := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}, false
			}
			v = v.Elem()
		}
		v = v.Field(at)
	}
	return v, true
}

// refuseHidden makes sure that nothing is lost in fields that others with the same name hide.
func (p *structPlan) refuseHidden(v reflect.Value) error {
	for _, hidden := range p.hidden {
		if value, ok := fieldBehind(v, hidden.index); ok && !value.IsZero() {
			return withinField(hidden.goName, unsupported("another field hides this one, so its value would be dropped"))
		}
	}
	return nil
}
