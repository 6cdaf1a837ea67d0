package envelope

import (
	"math/big"
	"math/bits"
	"reflect"
	"strconv"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// Plans of the types of math/big.
type (
	bigIntPlan   struct{}
	bigRatPlan   struct{}
	bigFloatPlan struct{}
)

// digitsPerBit is a little less than the decimal digits that one bit makes.
const digitsPerBit = 0.301

// digitsPerWord is a little less than the decimal digits that a word of a big.Int holds.
const digitsPerWord = bits.UintSize * 3 / 10

// maxBits returns how many bits make the most digits. It bounds the precision of a big.Float, and how far its exponent
// is from 0: with a few bytes more, numbers could be sent that take megabytes and seconds to print or to add.
func (l *Limits) maxBits() int64 { return int64(float64(l.MaxDigits) / digitsPerBit) }

// checkFloat returns ErrLimit for a precision or an exponent that stands for too many digits.
func (l *Limits) checkFloat(precision uint64, exponent int64) error {
	if most := l.maxBits(); precision > uint64(most) || exponent > most || exponent < -most {
		return faults.Limited("MaxDigits", l.MaxDigits)
	}
	return nil
}

// appendInteger writes n. Numbers that must have too many digits are refused before they are worked out.
func (l *Limits) appendInteger(buf []byte, n *big.Int) ([]byte, error) {
	if float64(n.BitLen()-1)*digitsPerBit > float64(l.MaxDigits) {
		return buf, faults.Limited("MaxDigits", l.MaxDigits)
	}
	start := len(buf)
	buf = n.Append(buf, 10)
	return buf, l.checkDigits(string(buf[start:]))
}

func (l *Limits) checkDigits(literal string) error {
	if len(strings.TrimPrefix(literal, "-")) > l.MaxDigits {
		return faults.Limited("MaxDigits", l.MaxDigits)
	}
	return nil
}

// encode writes a big.Int as a number.
func (bigIntPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return e.settings.limits.appendInteger(buf, v.Addr().Interface().(*big.Int))
}

func (bigIntPlan) decode(d *decoder, v reflect.Value) error {
	literal, err := d.in.Number()
	if err != nil {
		return err
	}
	if !jsontext.IsInteger(literal) {
		return faults.Mismatch("expected a whole number")
	}
	if err := d.settings.limits.checkDigits(literal); err != nil {
		return err
	}
	return d.setInteger(v.Addr().Interface().(*big.Int), literal)
}

// shortInteger is how many digits a big.Int reads without memory that grows step by step.
const shortInteger = 64

// setInteger sets n to a whole number. A long one gets its memory at once, as big.Int would allocate it again for every
// few digits.
func (d *decoder) setInteger(n *big.Int, literal string) error {
	words := len(literal)/digitsPerWord + 2
	if err := d.in.Charge(bigMemory + int64(words*bits.UintSize/8)); err != nil {
		return err
	}
	if len(literal) > shortInteger {
		n.SetBits(make([]big.Word, 0, words))
	}
	n.SetString(literal, 10)
	return nil
}

// encode writes a big.Rat as "a/b", or "a" if it is whole.
func (bigRatPlan) encode(e *encoder, buf []byte, v reflect.Value) (_ []byte, err error) {
	r := v.Addr().Interface().(*big.Rat)
	buf = append(buf, '"')
	if buf, err = e.settings.limits.appendInteger(buf, r.Num()); err != nil {
		return buf, err
	}
	if !r.IsInt() {
		buf = append(buf, '/')
		if buf, err = e.settings.limits.appendInteger(buf, r.Denom()); err != nil {
			return buf, err
		}
	}
	return append(buf, '"'), nil
}

func (bigRatPlan) decode(d *decoder, v reflect.Value) error {
	text, _, err := d.in.Text()
	if err != nil {
		return err
	}
	numerator, denominator, isFraction := strings.Cut(text, "/")
	if !jsontext.IsInteger(numerator) || isFraction && (jsontext.Digits(denominator) != len(denominator) || !jsontext.IsInteger(denominator)) {
		return faults.Mismatch("expected a fraction of whole numbers")
	}
	if err := d.settings.limits.checkDigits(numerator); err != nil {
		return err
	}
	if err := d.settings.limits.checkDigits(denominator); err != nil {
		return err
	}
	return d.setFraction(v.Addr().Interface().(*big.Rat), numerator, denominator)
}

// setFraction sets r. The denominator is 1 if it is empty.
func (d *decoder) setFraction(r *big.Rat, numerator, denominator string) error {
	if err := d.in.Charge(bigMemory + perRatByte*int64(len(numerator)+len(denominator))); err != nil {
		return err
	}
	over, under := new(big.Int), big.NewInt(1)
	if err := d.setInteger(over, numerator); err != nil {
		return err
	}
	if denominator == "" {
		r.SetInt(over)
		return nil
	}
	if err := d.setInteger(under, denominator); err != nil {
		return err
	}
	if under.Sign() == 0 {
		return faults.Mismatch("expected a fraction of whole numbers")
	}
	r.SetFrac(over, under)
	return nil
}

// encode writes a big.Float with all that makes it up, as [value,precision,mode]: the value in hexadecimal, which is
// exact, the precision in bits, and the rounding mode by name.
func (bigFloatPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	f := v.Addr().Interface().(*big.Float)
	if err := e.settings.limits.checkFloat(uint64(f.Prec()), int64(f.MantExp(nil))); err != nil {
		return buf, err
	}
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
	if err := decodeArray(d, 3, func(i int) (err error) {
		switch i {
		case 0:
			text, _, err = d.in.Text()
		case 1:
			precision, err = d.in.Uint(32)
		case 2:
			mode, _, err = d.in.Text()
		}
		return err
	}); err != nil {
		return err
	}
	rounding, ok := roundingModes[mode]
	if !ok {
		return faults.Mismatch("expected a rounding mode")
	}
	exponent, ok := exponentOf(text)
	if !ok {
		return faults.Mismatch("expected a big.Float")
	}
	if err := d.settings.limits.checkFloat(precision, exponent); err != nil {
		return err
	}
	if err := d.in.Charge(bigMemory + perBigFloatByte*int64(len(text))); err != nil {
		return err
	}
	f := v.Addr().Interface().(*big.Float)
	if !setFloat(f.SetMode(rounding), text, uint(precision)) {
		return faults.Mismatch("expected a big.Float")
	}
	return nil
}

// exponentOf returns the power of 2 in the text of a big.Float, and whether the text is one as they are written.
func exponentOf(text string) (exponent int64, ok bool) {
	magnitude := strings.TrimPrefix(text, "-")
	if magnitude == "0" || text == "+Inf" || text == "-Inf" {
		return 0, true
	}
	fraction, power, _ := strings.Cut(magnitude, "p")
	digits, isHexadecimal := strings.CutPrefix(fraction, "0x.")
	if !isHexadecimal || !isFraction(digits) || !strings.HasPrefix(power, "+") && !strings.HasPrefix(power, "-") {
		return 0, false
	}
	exponent, err := strconv.ParseInt(power, 10, 64)
	return exponent, err == nil
}

// isFraction reports whether digits are hexadecimal, and begin and end with one that is not 0.
func isFraction(digits string) bool {
	return digits != "" && digits[0] != '0' && digits[len(digits)-1] != '0' && strings.Trim(digits, "0123456789abcdef") == ""
}

var roundingModes = func() map[string]big.RoundingMode {
	modes := map[string]big.RoundingMode{}
	for mode := big.ToNearestEven; mode <= big.ToPositiveInf; mode++ {
		modes[mode.String()] = mode
	}
	return modes
}()

// setFloat sets f to the value and precision, and reports whether that could be done exactly.
func setFloat(f *big.Float, text string, precision uint) bool {
	magnitude := strings.TrimPrefix(text, "-")
	negative := magnitude != text
	switch {
	case text == "-Inf" || text == "+Inf":
		f.SetPrec(precision).SetInf(negative)
		return f.Prec() == precision
	case magnitude == "0":
		f.SetPrec(precision)
		if negative {
			f.Neg(f)
		}
		return true
	case precision == 0:
		return false
	}
	_, _, err := f.SetPrec(precision).Parse(text, 0)
	return err == nil && f.Acc() == big.Exact && !f.IsInf()
}
