package envelope

import (
	"reflect"
)

// Plans of the basic kinds, for named types as well.
type (
	boolPlan    struct{}
	stringPlan  struct{}
	intPlan     struct{}
	uintPlan    struct{}
	floatPlan   struct{}
	complexPlan struct{}
)

func bitsOf[T any]() int { return reflect.TypeFor[T]().Bits() }

func (boolPlan) encode(e *encoder, v reflect.Value) (err error) {
	e.buf, err = appendBool(e.buf, v.Bool())
	return err
}

func (boolPlan) decode(d *decoder, v reflect.Value) error {
	b, err := d.bool()
	v.SetBool(b)
	return err
}

func (stringPlan) encode(e *encoder, v reflect.Value) (err error) {
	e.buf, err = appendText(e.buf, v.String())
	return err
}

func (stringPlan) decode(d *decoder, v reflect.Value) error {
	s, err := d.ownText()
	v.SetString(s)
	return err
}

func (intPlan) encode(e *encoder, v reflect.Value) (err error) {
	e.buf, err = appendInt(e.buf, v.Int())
	return err
}

func (intPlan) decode(d *decoder, v reflect.Value) error {
	n, err := d.integer(v.Type().Bits())
	v.SetInt(n)
	return err
}

func (uintPlan) encode(e *encoder, v reflect.Value) (err error) {
	e.buf, err = appendUint(e.buf, v.Uint())
	return err
}

func (uintPlan) decode(d *decoder, v reflect.Value) error {
	n, err := d.unsignedInteger(v.Type().Bits())
	v.SetUint(n)
	return err
}

func (floatPlan) encode(e *encoder, v reflect.Value) error {
	e.buf = appendFloat(e.buf, v.Float(), v.Type().Bits())
	return nil
}

func (floatPlan) decode(d *decoder, v reflect.Value) error {
	f, err := d.float(v.Type().Bits())
	v.SetFloat(f)
	return err
}

// encode writes a complex number as its two parts, [real,imaginary].
func (complexPlan) encode(e *encoder, v reflect.Value) error {
	c, bits := v.Complex(), v.Type().Bits()/2
	if err := e.open(2); err != nil {
		return err
	}
	e.buf = append(e.buf, '[')
	e.buf = appendFloat(e.buf, real(c), bits)
	e.buf = append(e.buf, ',')
	e.buf = appendFloat(e.buf, imag(c), bits)
	e.buf = append(e.buf, ']')
	e.leave()
	return nil
}

func (complexPlan) decode(d *decoder, v reflect.Value) error {
	var parts [2]float64
	if err := d.array(len(parts), func(i int) (err error) {
		parts[i], err = d.float(v.Type().Bits() / 2)
		return err
	}); err != nil {
		return err
	}
	v.SetComplex(complex(parts[0], parts[1]))
	return nil
}
