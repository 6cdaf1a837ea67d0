package envelope

import (
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// A plan appends values of one Go type to a buffer as JSON, and reads them back. It is worked out once for each type
// and then used by any number of goroutines. Values given to it are addressable; those read into are zero.
type plan interface {
	encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error)
	decode(d *decoder, v reflect.Value) error
}

// planned is a plan, or the reason why there is none.
type planned struct {
	plan plan
	err  error
}

// registered plans a type by what its registration says.
func (p *planner) registered(r *registration) plan {
	if r.assertion != nil {
		return &interfacePlan{target: interfaceTarget{goType: r.goType, assertion: r.assertion}}
	}
	return p.verifiedAsRegistered(r, p.registeredAs(r, r.codec))
}

// registeredAs plans a registered type that is written with the codec, or as JSON if that is nil.
func (p *planner) registeredAs(r *registration, codec Codec) plan {
	if r.converter == nil {
		return p.body(r.goType, codec)
	}
	if p.types.isEndless(r.goType) {
		return p.fail(faults.Newf(ErrUnsupported, "%s leads back to itself: %s", goName(r.goType), p.callFor(r.goType, convertOption)))
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
	if isContext(t) {
		return p.fail(contextCannotTravel(t))
	}
	if isProtobuf(t) && !p.ignoresUnexported(t) {
		return p.fail(faults.Newf(ErrUnsupported, "%s is a Protocol Buffers message: %s", goName(t), p.callFor(t, protobufOption)))
	}
	own, oneWay := marshalersOf(t)
	if oneWay != nil {
		return p.fail(p.oneWay(oneWay))
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
	return p.fail(p.valuesCannotTravel(t))
}

// ignoresUnexported reports whether t is registered so that its unexported fields are left out.
func (p *planner) ignoresUnexported(t reflect.Type) bool {
	registered, ok := p.types.byType[t]
	return ok && registered.ignoreUnexported
}

func (p *planner) unnamedInterface(t reflect.Type) plan {
	if t.NumMethod() == 0 {
		return anyPlan{}
	}
	return p.fail(p.unregisteredInterface(t))
}

func (p *planner) marshaled(t reflect.Type, own marshalers) plan {
	if t.Kind() == reflect.Struct && isPromoted(t, own) {
		return p.promoted(t, own)
	}
	return p.verified(t, ownMarshalers(own), p.types.equality(t))
}

func ownMarshalers(own marshalers) plan {
	if own == jsonMarshalers {
		return jsonPlan{}
	}
	return textPlan{}
}

// least returns the length of the shortest JSON that the plan can read. It matters for arrays, whose memory does not
// grow with what is read.
func least(p plan) int {
	switch p := p.(type) {
	case *arrayPlan:
		return p.length*(least(p.element)+1) + 1
	case *structPlan:
		return len("{}")
	case *verifiedPlan:
		return least(p.plan)
	}
	return 1
}
