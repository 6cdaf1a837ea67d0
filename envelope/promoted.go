package envelope

import (
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// A promotedPlan is for structs whose marshalers come from the one field that they embed: it stands for the whole.
type promotedPlan struct {
	index int
	inner plan
}

func (p *planner) promoted(t reflect.Type, own marshalers) plan {
	field, hidden := p.embeddedMarshaler(t, own)
	for _, name := range hidden {
		p.failAt("."+name, faults.Newf(ErrUnsupported, "hidden by the marshalers promoted from %s: "+
			"name the embedded field, `%s %s`, or %s", field.Name, field.Name, goName(field.Type), p.callFor(t, convertOption)))
	}
	if !field.IsExported() && pairs[own][1].isBehindPointer(t) {
		return p.fail(faults.Newf(ErrUnsupported, "%s is embedded, and cannot be set on receipt as its name is unexported: %s",
			goName(field.Type), p.callFor(t, convertOption)))
	}
	if !field.IsExported() {
		return p.verified(t, ownMarshalers(own), p.types.equality(t))
	}
	result := keep(p, t, &promotedPlan{index: field.Index[0]})
	result.inner = p.step("."+field.Name, field.Type)
	return result
}

// embeddedMarshaler returns the field that the methods are promoted from, and the names of those that they hide.
func (p *planner) embeddedMarshaler(t reflect.Type, own marshalers) (source reflect.StructField, hidden []string) {
	registered := p.types.byType[t]
	dropsUnexported := registered != nil && registered.ignoreUnexported
	for field := range t.Fields() {
		switch {
		case field.Anonymous && source.Type == nil && promotes(field.Type, own):
			source = field
		case field.Tag.Get("json") == "-", field.Name == "_":
		case !field.IsExported() && dropsUnexported:
		default:
			hidden = append(hidden, field.Name)
		}
	}
	return source, hidden
}

func promotes(t reflect.Type, own marshalers) bool {
	return pairs[own][0].isPromotedBy(t) || pairs[own][1].isPromotedBy(t)
}

func (p *promotedPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return p.inner.encode(e, buf, v.Field(p.index))
}

func (p *promotedPlan) decode(d *decoder, v reflect.Value) error {
	return p.inner.decode(d, v.Field(p.index))
}
