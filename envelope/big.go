package envelope

import (
	"math/big"
	"reflect"
	"strconv"
	"strings"
)

// Plans of the types of math/big.
type (
	bigIntPlan   struct{}
	bigRatPlan   struct{}
	bigFloatPlan struct{}
)

// digitsPerBit is a little less than the decimal digits that one bit makes.
const digitsPerBit = 0.301

// appendInteger writes n. Numbers that must have too many digits are refused before they are worked out.
func (s *settings) appendInteger(buf []byte, n *big.Int) ([]byte, error) {
	if float64(n.BitLen()-1)*digitsPerBit > float64(s.maxDigits) {
		return buf, limited("MaxDigits", s.maxDigits)
	}
	start := len(buf)
	buf = n.Append(buf, 10)
	return buf, s.checkDigits(string(buf[start:]))
}

func (s *settings) checkDigits(literal string) error {
	if len(strings.TrimPrefix(literal, "-")) > s.maxDigits {
		return limited("MaxDigits", s.maxDigits)
	}
	return nil
}

// isInteger tells whether text is an integer as JSON writes them.
func isInteger(text string) bool {
	return numberLength(text) == len(text) && digits(strings.TrimPrefix(text, "-")) == len(strings.TrimPrefix(text, "-"))
}

// encode writes a big.Int as a number.
func (bigIntPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return e.settings.appendInteger(buf, v.Addr().Interface().(*big.Int))
}

func (bigIntPlan) decode(d *decoder, v reflect.Value) error {
	literal, err := d.number()
	if err != nil {
		return err
	}
	if !isInteger(literal) {
		return mismatch("expected a whole number")
	}
	if err := d.settings.checkDigits(literal); err != nil {
		return err
	}
	v.Addr().Interface().(*big.Int).SetString(literal, 10)
	return nil
}

// encode writes a big.Rat as "a/b", or "a" if it is whole.
func (bigRatPlan) encode(e *encoder, buf []byte, v reflect.Value) (_ []byte, err error) {
	r := v.Addr().Interface().(*big.Rat)
	buf = append(buf, '"')
	if buf, err = e.settings.appendInteger(buf, r.Num()); err != nil {
		return buf, err
	}
	if !r.IsInt() {
		buf = append(buf, '/')
		if buf, err = e.settings.appendInteger(buf, r.Denom()); err != nil {
			return buf, err
		}
	}
	return append(buf, '"'), nil
}

func (bigRatPlan) decode(d *decoder, v reflect.Value) error {
	text, _, err := d.text()
	if err != nil {
		return err
	}
	numerator, denominator, isFraction := strings.Cut(text, "/")
	if !isInteger(numerator) || isFraction && (digits(denominator) != len(denominator) || !isInteger(denominator)) {
		return mismatch("expected a fraction of whole numbers")
	}
	if err := d.settings.checkDigits(numerator); err != nil {
		return err
	}
	if err := d.settings.checkDigits(denominator); err != nil {
		return err
	}
	if _, ok := v.Addr().Interface().(*big.Rat).SetString(text); !ok {
		return mismatch("expected a fraction of whole numbers")
	}
	return nil
}

// encode writes a big.Float with all that makes it up, as [value,precision,mode]: the value in hexadecimal,
// which is exact, the precision in bits, and the rounding mode by name.
func (bigFloatPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	f := v.Addr().Interface().(*big.Float)
	if err := e.open(len(buf), 3); err != nil {
		return buf, err
	}
	buf = append(buf, '[', '"')
	buf = f.Append(buf, 'p', 0)
	buf = append(buf, '"', ',')
	buf = strconv.AppendUint(buf, uint64(f.Prec()), 10)
	buf = append(buf, ',', '"')
	buf = append(buf, f.Mode().String()...)
	e.leave()
	return append(buf, '"', ']'), nil
}

func (bigFloatPlan) decode(d *decoder, v reflect.Value) error {
	var text, mode string
	var precision uint64
	if err := d.array(3, func(i int) (err error) {
		switch i {
		case 0:
			text, _, err = d.text()
		case 1:
			precision, err = d.unsignedInteger(32)
		case 2:
			mode, _, err = d.text()
		}
		return err
	}); err != nil {
		return err
	}
	rounding, ok := roundingModes[mode]
	if !ok {
		return mismatch("expected a rounding mode")
	}
	f := v.Addr().Interface().(*big.Float)
	if !setFloat(f.SetMode(rounding), text, uint(precision)) {
		return mismatch("expected a big.Float")
	}
	return nil
}

var roundingModes = func() map[string]big.RoundingMode {
	modes := map[string]big.RoundingMode{}
	for mode := big.ToNearestEven; mode <= big.ToPositiveInf; mode++ {
		modes[mode.String()] = mode
	}
	return modes
}()

// setFloat sets f to the value and precision, and tells whether that could be done exactly.
func setFloat(f *big.Float, text string, precision uint) bool {
	magnitude := strings.TrimPrefix(text, "-")
	negative := magnitude != text
	switch {
	case magnitude == "Inf" || text == "+Inf":
		f.SetPrec(precision).SetInf(negative)
		return f.Prec() == precision
	case magnitude == "0":
		f.SetPrec(precision)
		if negative {
			f.Neg(f)
		}
		return true
	case precision == 0 || !strings.HasPrefix(magnitude, "0x"):
		return false
	}
	_, _, err := f.SetPrec(precision).Parse(text, 0)
	return err == nil && f.Acc() == big.Exact && !f.IsInf()
}
