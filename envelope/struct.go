package envelope

import (
	"math"
	"reflect"
	"slices"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// A structPlan writes a struct as an object with its fields in the order of their definition.
type structPlan struct {
	fields []structField
	// members find the fields by name.
	members *members
	// hidden are fields that do not travel, and are refused unless they are zero.
	hidden []hiddenField
	// pointers are embedded, and are refused unless something behind them travels.
	pointers []embeddedPointer
}

type structField struct {
	field
	plan plan
	// member is how a member begins that is not the first: ,"name":
	member string
	// direct is the index of a field that is not reached by embedding, else -1.
	direct int
}

func (p *planner) structure(t reflect.Type) plan {
	found := p.types.membersOf(t)
	result := keep(p, t, &structPlan{members: found})
	for _, pointer := range found.unsettable {
		p.failAt("."+pointer.goName, faults.Newf(ErrUnsupported,
			"embedded pointer to an unexported struct cannot be set: %s", p.callFor(t, convertOption)))
	}
	p.refuseDropped(t, found)
	result.hidden, result.pointers = found.hidden, found.pointers
	for _, f := range found.fields {
		result.fields = append(result.fields, p.structField(f))
	}
	return result
}

// refuseDropped notes the unexported fields of t that would be lost in silence, together for each struct that they
// belong to.
func (p *planner) refuseDropped(t reflect.Type, found *members) {
	if p.ignoresUnexported(t) || len(found.unexported) == 0 {
		return
	}
	if len(found.fields) == 0 {
		p.fail(p.nothingExported(t))
		return
	}
	for dropped := found.unexported; len(dropped) > 0; {
		owner, first := dropped[0].owner, dropped[0].goName
		var names []string
		for len(dropped) > 0 && dropped[0].owner == owner {
			names = append(names, dropped[0].goName)
			dropped = dropped[1:]
		}
		out := p.in(owner)
		p.failAt("."+first, p.unexportedFields(t, names))
		out()
	}
}

func (p *planner) structField(f field) structField {
	result := structField{field: f, direct: -1, plan: p.step("."+f.goName, f.goType)}
	if len(f.index) == 1 {
		result.direct = f.index[0]
	}
	if f.quoted && p.isPlain(f.goType) {
		result.plan = newQuotedPlan(f.goType, result.plan)
	}
	member, err := jsontext.AppendText([]byte{','}, f.name)
	if err != nil {
		p.fail(err)
	}
	result.member = string(append(member, ':'))
	return result
}

func (p *structPlan) encode(e *encoder, buf []byte, v reflect.Value) (_ []byte, err error) {
	if err := e.enter(len(buf)); err != nil {
		return buf, err
	}
	if err := p.refuseHidden(v); err != nil {
		return buf, err
	}
	buf = append(buf, '{')
	comma := len(",")
	for i := range p.fields {
		f := &p.fields[i]
		value, ok := v, true
		if f.direct >= 0 {
			value = v.Field(f.direct)
		} else {
			value, ok = fieldBehind(v, f.index)
		}
		if !ok || f.omit != nil && f.omit(value) {
			continue
		}
		buf = append(buf, f.member[comma:]...)
		comma = 0
		if buf, err = f.plan.encode(e, buf, value); err != nil {
			return buf, withinField(f.goName, err)
		}
	}
	e.leave()
	return append(buf, '}'), nil
}

// fieldBehind finds a field by way of embedded structs; there is none behind an embedded pointer that is nil.
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

// refuseHidden makes sure that nothing is lost in fields that others with the same name hide, and no embedded pointer
// for lack of fields behind it.
func (p *structPlan) refuseHidden(v reflect.Value) error {
	for _, hidden := range p.hidden {
		if value, ok := fieldBehind(v, hidden.index); ok && !isExactlyZero(value) {
			return withinField(hidden.goName, faults.Unsupported("another field hides this one, so its value would be dropped: give one of the two a name of its own by a tag `json:\"name\"`"))
		}
	}
	for _, pointer := range p.pointers {
		if pointer.isLost(v) {
			return withinField(pointer.goName, faults.Unsupported("embedded pointer without fields to show would be dropped: name the field by a tag `json:\"name\"`"))
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

// isLost reports whether the pointer is set, but nothing of what is behind it is written.
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
