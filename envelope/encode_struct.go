package envelope

import (
	"math"
	"reflect"
	"slices"
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

// refuseHidden makes sure that nothing is lost in fields that others with the same name hide, and no embedded
// pointer for lack of fields behind it.
func (p *structPlan) refuseHidden(v reflect.Value) error {
	for _, hidden := range p.hidden {
		if value, ok := fieldBehind(v, hidden.index); ok && !isExactlyZero(value) {
			return withinField(hidden.goName, unsupported("another field hides this one, so its value would be dropped"))
		}
	}
	for _, pointer := range p.pointers {
		if pointer.isLost(v) {
			return withinField(pointer.goName, unsupported("embedded pointer without fields to show would be dropped"))
		}
	}
	return nil
}

// isExactlyZero is Value.IsZero, but for negative zero, which is a value.
func isExactlyZero(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array:
		for i := range v.Len() {
			if !isExactlyZero(v.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range v.NumField() {
			if !isExactlyZero(v.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Float32, reflect.Float64:
		return math.Float64bits(v.Float()) == 0
	case reflect.Complex64, reflect.Complex128:
		return math.Float64bits(real(v.Complex())) == 0 && math.Float64bits(imag(v.Complex())) == 0
	}
	return v.IsZero()
}

// isLost tells whether the pointer is set, but nothing of what is behind it is written.
func (p *embeddedPointer) isLost(v reflect.Value) bool {
	value, ok := fieldBehind(v, p.index)
	if !ok || value.IsNil() {
		return false
	}
	return !slices.ContainsFunc(p.fields, func(index []int) bool {
		_, ok := fieldBehind(v, index)
		return ok
	})
}
