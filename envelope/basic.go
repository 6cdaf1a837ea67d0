package envelope

import (
	"reflect"
	"strconv"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// Plans of the basic kinds, for named types as well. Those of numbers have their size.
type (
	boolPlan    struct{}
	stringPlan  struct{}
	intPlan     struct{ bits int }
	uintPlan    struct{ bits int }
	floatPlan   struct{ bits int }
	complexPlan struct{ partBits int }
)

// basicPlans are the plans of named types without marshalers, by kind.
var basicPlans = map[reflect.Kind]plan{
	reflect.Bool:       &boolPlan{},
	reflect.String:     &stringPlan{},
	reflect.Int:        &intPlan{bits: bitsOf[int]()},
	reflect.Int8:       &intPlan{bits: 8},
	reflect.Int16:      &intPlan{bits: 16},
	reflect.Int32:      &intPlan{bits: 32},
	reflect.Int64:      &intPlan{bits: 64},
	reflect.Uint:       &uintPlan{bits: bitsOf[uint]()},
	reflect.Uint8:      &uintPlan{bits: 8},
	reflect.Uint16:     &uintPlan{bits: 16},
	reflect.Uint32:     &uintPlan{bits: 32},
	reflect.Uint64:     &uintPlan{bits: 64},
	reflect.Uintptr:    &uintPlan{bits: bitsOf[uintptr]()},
	reflect.Float32:    &floatPlan{bits: 32},
	reflect.Float64:    &floatPlan{bits: 64},
	reflect.Complex64:  &complexPlan{partBits: 32},
	reflect.Complex128: &complexPlan{partBits: 64},
}

func (*boolPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return strconv.AppendBool(buf, v.Bool()), nil
}

func (*boolPlan) decode(d *decoder, v reflect.Value) error {
	b, err := d.in.Bool()
	v.SetBool(b)
	return err
}

func (*stringPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return jsontext.AppendText(buf, v.String())
}

func (*stringPlan) decode(d *decoder, v reflect.Value) error {
	s, err := d.in.OwnText()
	v.SetString(s)
	return err
}

func (*intPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return strconv.AppendInt(buf, v.Int(), 10), nil
}

func (p *intPlan) decode(d *decoder, v reflect.Value) error {
	n, err := d.in.Int(p.bits)
	v.SetInt(n)
	return err
}

func (*uintPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return strconv.AppendUint(buf, v.Uint(), 10), nil
}

func (p *uintPlan) decode(d *decoder, v reflect.Value) error {
	n, err := d.in.Uint(p.bits)
	v.SetUint(n)
	return err
}

func (p *floatPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return jsontext.AppendFloat(buf, v.Float(), p.bits), nil
}

func (p *floatPlan) decode(d *decoder, v reflect.Value) error {
	f, err := d.in.Float(p.bits)
	v.SetFloat(f)
	return err
}

// encode writes a complex number as its two parts, [real,imaginary].
func (p *complexPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	c := v.Complex()
	if err := e.open(len(buf), 2); err != nil {
		return buf, err
	}
	buf = append(buf, '[')
	buf = jsontext.AppendFloat(buf, real(c), p.partBits)
	buf = append(buf, ',')
	buf = jsontext.AppendFloat(buf, imag(c), p.partBits)
	e.leave()
	return append(buf, ']'), nil
}

func (p *complexPlan) decode(d *decoder, v reflect.Value) error {
	var parts [2]float64
	if err := decodeArray(d, len(parts), func(i int) (err error) {
		parts[i], err = d.in.Float(p.partBits)
		return err
	}); err != nil {
		return err
	}
	v.SetComplex(complex(parts[0], parts[1]))
	return nil
}
