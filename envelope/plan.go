package envelope

import (
	"reflect"
)

// A plan appends values of one Go type to a buffer as JSON, and reads them back. It is worked out once for each
// type and then used by any number of goroutines. Values given to it are addressable; those read into are zero.
type plan interface {
	encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error)
	decode(d *decoder, v reflect.Value) error
}

// planned is a plan, or the reason why there is none.
type planned struct {
	plan plan
	err  error
}

// planFor returns the plan of a type, worked out on first use.
func (c *catalog) planFor(t reflect.Type) (plan, error) {
	if known, ok := c.plans.Load(t); ok {
		result := known.(planned)
		return result.plan, result.err
	}
	p := newPlanner(c)
	result := p.finish(t, p.plan(t))
	c.plans.Store(t, result)
	return result.plan, result.err
}

// registered plans a type by what its registration says.
func (p *planner) registered(r *registration) plan {
	if r.goType.Kind() == reflect.Interface {
		return interfacePlan{}
	}
	return p.registeredAs(r, r.codec)
}

// registeredAs plans a registered type that is written with the codec, or as JSON if that is nil.
func (p *planner) registeredAs(r *registration, codec Codec) plan {
	if r.converter == nil {
		return p.body(r.goType, codec)
	}
	if p.catalog.isEndless(r.goType) {
		return p.fail(faultf(ErrUnsupported, "%s leads back to itself", r.goType))
	}
	result := keep(p, r.goType, &convertPlan{converter: r.converter})
	if codec != nil {
		result.inner = codecPlan{codec: codec}
	} else {
		result.inner = p.plan(r.converter.wireType)
	}
	return result
}

func (p *planner) body(t reflect.Type, codec Codec) plan {
	if codec != nil {
		return codecPlan{codec: codec}
	}
	return p.structural(t)
}

// structural plans a type by its definition: its marshalers if it has any, else its kind.
func (p *planner) structural(t reflect.Type) plan {
	if t.Kind() == reflect.Interface {
		return p.unnamedInterface(t)
	}
	own, err := marshalersOf(t)
	if err != nil {
		return p.fail(err)
	}
	if own != noMarshalers {
		return p.marshaled(t, own)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return p.pointer(t)
	case reflect.Struct:
		return p.structure(t)
	case reflect.Slice:
		return p.slice(t)
	case reflect.Array:
		return p.array(t)
	case reflect.Map:
		return p.mapping(t)
	}
	if basic, ok := basicPlans[t.Kind()]; ok {
		return basic
	}
	return p.fail(faultf(ErrUnsupported, "%s values cannot be carried", t.Kind()))
}

func (p *planner) unnamedInterface(t reflect.Type) plan {
	if t.NumMethod() == 0 {
		return anyPlan{}
	}
	return p.fail(unregisteredInterface(t))
}

func (p *planner) marshaled(t reflect.Type, own marshalers) plan {
	if t.Kind() == reflect.Struct && isPromoted(t, own) {
		return p.promoted(t, own)
	}
	return ownMarshalers(own)
}

func ownMarshalers(own marshalers) plan {
	if own == jsonMarshalers {
		return jsonPlan{}
	}
	return textPlan{}
}
