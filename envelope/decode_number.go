package envelope

import (
	"math"
	"strconv"
)

// number reads a JSON number and returns it as it stands in the input.
func (d *decoder) number() (string, error) {
	if c := d.peek(); c != '-' && !isDigit(c) {
		return "", d.unexpected("a number")
	}
	size := numberLength(d.in[d.pos:])
	if size == 0 {
		return "", malformed("invalid number")
	}
	literal := d.in[d.pos : d.pos+size]
	d.pos += size
	return literal, nil
}

// numberLength tells how long the JSON number is that s begins with: 0 if there is none.
func numberLength(s string) int {
	i := 0
	if i < len(s) && s[i] == '-' {
		i++
	}
	whole := digits(s[i:])
	if whole == 0 || whole > 1 && s[i] == '0' {
		return 0
	}
	i += whole
	if i < len(s) && s[i] == '.' {
		fraction := digits(s[i+1:])
		if fraction == 0 {
			return 0
		}
		i += 1 + fraction
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		exponent := digits(s[i:])
		if exponent == 0 {
			return 0
		}
		i += exponent
	}
	return i
}

// digits counts the decimal digits that s begins with.
func digits(s string) int {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return i
		}
	}
	return len(s)
}

// A decimal is a number of at most 18 digits and no exponent: ±digits / 10^scale.
type decimal struct {
	digits   uint64
	scale    int
	negative bool
}

// decimal reads a number in one go, as most are short; if it is not, nothing is read and ok is false.
func (d *decoder) decimal() (n decimal, ok bool) {
	const longest = 18
	in, i := d.in, d.pos
	if i < len(in) && in[i] == '-' {
		n.negative = true
		i++
	}
	start := i
	for ; i < len(in) && isDigit(in[i]); i++ {
		n.digits = n.digits*10 + uint64(in[i]-'0')
	}
	whole := i - start
	if whole == 0 || whole > 1 && in[start] == '0' {
		return n, false
	}
	if i < len(in) && in[i] == '.' {
		point := i
		for i++; i < len(in) && isDigit(in[i]); i++ {
			n.digits = n.digits*10 + uint64(in[i]-'0')
		}
		if n.scale = i - point - 1; n.scale == 0 {
			return n, false
		}
	}
	if whole+n.scale > longest || i < len(in) && in[i]|0x20 == 'e' {
		return n, false
	}
	d.pos = i
	return n, true
}

// signed returns a whole number.
func (n decimal) signed() int64 {
	if n.negative {
		return -int64(n.digits)
	}
	return int64(n.digits)
}

// powersOfTen are exact as float64.
var powersOfTen = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// float returns the nearest float64, if one division finds it: that of two numbers which float64 holds exactly.
func (n decimal) float() (f float64, ok bool) {
	const exact = 1 << 53
	if n.digits > exact {
		return 0, false
	}
	f = float64(n.digits) / powersOfTen[n.scale]
	if n.negative {
		f = -f
	}
	return f, true
}

func (d *decoder) integer(bits int) (int64, error) {
	d.peek()
	start := d.pos
	if short, ok := d.decimal(); ok && short.scale == 0 {
		if n := short.signed(); n<<(64-bits)>>(64-bits) == n {
			return n, nil
		}
	}
	d.pos = start
	literal, err := d.number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(literal, 10, bits)
	if err != nil {
		return 0, integerFault(literal, "int", bits)
	}
	return n, nil
}

func (d *decoder) unsignedInteger(bits int) (uint64, error) {
	d.peek()
	start := d.pos
	if short, ok := d.decimal(); ok && short.scale == 0 && !short.negative {
		if n := short.digits; n<<(64-bits)>>(64-bits) == n {
			return n, nil
		}
	}
	d.pos = start
	literal, err := d.number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(literal, 10, bits)
	if err != nil {
		return 0, integerFault(literal, "uint", bits)
	}
	return n, nil
}

// integerFault says why a number is not an integer of the wanted size, without showing it.
func integerFault(literal, kind string, bits int) error {
	if digits(literal) == len(literal) || literal[0] == '-' && digits(literal[1:]) == len(literal)-1 {
		return faultf(ErrTypeMismatch, "number overflows %s%d", kind, bits)
	}
	return mismatch("expected a whole number")
}

// float reads a number, or one of the strings for those that JSON has none for.
func (d *decoder) float(bits int) (float64, error) {
	if d.peek() == '"' {
		return d.specialFloat()
	}
	start := d.pos
	if short, ok := d.decimal(); ok && bits == 64 {
		if f, ok := short.float(); ok {
			return f, nil
		}
	}
	d.pos = start
	literal, err := d.number()
	if err != nil {
		return 0, err
	}
	f, err := strconv.ParseFloat(literal, bits)
	if err != nil {
		return 0, faultf(ErrTypeMismatch, "number overflows float%d", bits)
	}
	return f, nil
}

func (d *decoder) specialFloat() (float64, error) {
	name, _, err := d.text()
	if err != nil {
		return 0, err
	}
	switch name {
	case notANumber:
		return math.NaN(), nil
	case positiveInfinity:
		return math.Inf(1), nil
	case negativeInfinity:
		return math.Inf(-1), nil
	}
	return 0, mismatch("expected a number, found a string")
}

func readInt[I signed](d *decoder) (I, error) {
	n, err := d.integer(bitsOf[I]())
	return I(n), err
}

func readUint[U unsigned](d *decoder) (U, error) {
	n, err := d.unsignedInteger(bitsOf[U]())
	return U(n), err
}

func readFloat[F float32 | float64](d *decoder) (F, error) {
	n, err := d.float(bitsOf[F]())
	return F(n), err
}
