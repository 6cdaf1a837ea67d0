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

func (boolPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return appendBool(buf, v.Bool())
}

func (boolPlan) decode(d *decoder, v reflect.Value) error {
	b, err := d.bool()
	v.SetBool(b)
	return err
}

func (stringPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return appendText(buf, v.String())
}

func (stringPlan) decode(d *decoder, v reflect.Value) error {
	s, err := d.ownText()
	v.SetString(s)
	return err
}

func (intPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return appendInt(buf, v.Int())
}

func (intPlan) decode(d *decoder, v reflect.Value) error {
	n, err := d.integer(v.Type().Bits())
	v.SetInt(n)
	return err
}

func (uintPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return appendUint(buf, v.Uint())
}

func (uintPlan) decode(d *decoder, v reflect.Value) error {
	n, err := d.unsignedInteger(v.Type().Bits())
	v.SetUint(n)
	return err
}

func (floatPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return appendFloat(buf, v.Float(), v.Type().Bits()), nil
}

func (floatPlan) decode(d *decoder, v reflect.Value) error {
	f, err := d.float(v.Type().Bits())
	v.SetFloat(f)
	return err
}

// encode writes a complex number as its two parts, [real,imaginary].
func (complexPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	c, bits := v.Complex(), v.Type().Bits()/2
	if err := e.open(len(buf), 2); err != nil {
		return buf, err
	}
	buf = append(buf, '[')
	buf = appendFloat(buf, real(c), bits)
	buf = append(buf, ',')
	buf = appendFloat(buf, imag(c), bits)
	e.leave()
	return append(buf, ']'), nil
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
