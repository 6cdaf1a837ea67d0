package envelope

import (
	"context"
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// A converter carries values of one type as values of another.
type converter struct {
	goType   reflect.Type
	wireType reflect.Type
	// to returns an addressable value of the wire type.
	to func(ctx context.Context, v reflect.Value) (reflect.Value, error)
	// from sets v.
	from func(ctx context.Context, wireValue, v reflect.Value) error
}

// Convert lets values of T, the type being registered, travel as values of W: for types that have no JSON form of their
// own, or that hold things which cannot travel. It holds wherever a T stands: in an envelope of its own, in a struct
// field, behind a pointer, as an element. W need not be registered.
//
// Both functions get the context of the call, so a record may travel as its key and be loaded again on receipt. Their
// errors are returned with the path, and can be found with errors.Is; as their text is shown, it should hold no
// secrets. Register returns ErrRegistration if it is called for another type than T, or with nil.
func Convert[T, W any](to func(context.Context, T) (W, error), from func(context.Context, W) (T, error)) TypeOption {
	made := &converter{
		goType:   reflect.TypeFor[T](),
		wireType: reflect.TypeFor[W](),
		to: func(ctx context.Context, v reflect.Value) (reflect.Value, error) {
			wireValue, err := to(ctx, *v.Addr().Interface().(*T))
			return reflect.ValueOf(&wireValue).Elem(), err
		},
		from: func(ctx context.Context, wireValue, v reflect.Value) error {
			value, err := from(ctx, *wireValue.Addr().Interface().(*W))
			if err == nil {
				*v.Addr().Interface().(*T) = value
			}
			return err
		},
	}
	return func(r *registration) error {
		if made.goType != r.goType {
			return faults.Newf(ErrRegistration, "Convert is for %s", goName(made.goType))
		}
		if to == nil || from == nil {
			return faults.Newf(ErrRegistration, "Convert got nil")
		}
		if r.converter != nil {
			return faults.Newf(ErrRegistration, "Convert is given twice")
		}
		r.converter = made
		return nil
	}
}

// A convertPlan writes and reads values by way of their converter.
type convertPlan struct {
	converter *converter
	inner     plan
}

func (p *convertPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	wireValue, err := p.converter.to(e.ctx, v)
	if err != nil {
		return buf, err
	}
	return p.inner.encode(e, buf, wireValue)
}

func (p *convertPlan) decode(d *decoder, v reflect.Value) error {
	wireValue, err := d.newValue(p.converter.wireType)
	if err != nil {
		return err
	}
	if err := p.inner.decode(d, wireValue); err != nil {
		return err
	}
	return p.converter.from(d.ctx, wireValue, v)
}
