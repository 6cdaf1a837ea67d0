package envelope

import (
	"reflect"
)

// A promotedPlan is for structs whose marshalers come from the one field that they embed: it stands for the whole.
type promotedPlan struct {
	index int
	inner plan
}

func (p *planner) promoted(t reflect.Type, own marshalers) plan {
	field, hidden := p.catalog.embeddedMarshaler(t, own)
	for _, name := range hidden {
		p.failAt("."+name, faultf(ErrUnsupported, "hidden by the marshalers promoted from %s", field.Name))
	}
	if !field.IsExported() {
		return ownMarshalers(own)
	}
	result := keep(p, t, &promotedPlan{index: field.Index[0]})
	result.inner = p.step("."+field.Name, field.Type)
	return result
}

// embeddedMarshaler returns the field that the methods are promoted from, and the names of those that they hide.
func (c *catalog) embeddedMarshaler(t reflect.Type, own marshalers) (source reflect.StructField, hidden []string) {
	registered := c.byType[t]
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
