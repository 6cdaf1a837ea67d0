package jsontext

import (
	"math"
	"strconv"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// These strings stand for the numbers that JSON does not have.
const (
	NotANumber       = "NaN"
	PositiveInfinity = "Infinity"
	NegativeInfinity = "-Infinity"
)

// AppendFloat writes the shortest number that reads back as f, a float of 32 or 64 bits, or the string that stands for
// it.
func AppendFloat(buf []byte, f float64, bits int) []byte {
	if special := SpecialFloat(f); special != "" {
		buf = append(buf, '"')
		buf = append(buf, special...)
		return append(buf, '"')
	}
	if bits == 64 {
		if written, ok := appendThousandths(buf, f); ok {
			return written
		}
	}
	if !needsExponent(math.Abs(f), bits) {
		return strconv.AppendFloat(buf, f, 'f', -1, bits)
	}
	buf = strconv.AppendFloat(buf, f, 'e', -1, bits)
	return trimExponent(buf)
}

// needsExponent reports whether ECMAScript and encoding/json would write a number with an exponent.
func needsExponent(magnitude float64, bits int) bool {
	if magnitude == 0 {
		return false
	}
	if bits == 32 {
		return float32(magnitude) < 1e-6 || float32(magnitude) >= 1e21
	}
	return magnitude < 1e-6 || magnitude >= 1e21
}

// trimExponent turns e-09 into e-9.
func trimExponent(buf []byte) []byte {
	n := len(buf)
	if n >= 4 && buf[n-4] == 'e' && buf[n-2] == '0' {
		buf[n-2] = buf[n-1]
		return buf[:n-1]
	}
	return buf
}

// SpecialFloat returns the string that stands for f if JSON has no number for it, else "".
func SpecialFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return NotANumber
	case math.IsInf(f, 1):
		return PositiveInfinity
	case math.IsInf(f, -1):
		return NegativeInfinity
	}
	return ""
}

// Number reads a number and returns it as it stands in the text, whose memory it shares.
func (r *Reader) Number() (string, error) {
	if c := r.Peek(); c != '-' && !IsDigit(c) {
		return "", r.Unexpected("a number")
	}
	size := NumberLength(r.in[r.pos:])
	if size == 0 {
		return "", faults.Malformed("invalid number")
	}
	literal := r.in[r.pos : r.pos+size]
	r.pos += size
	return literal, nil
}

// NumberLength returns the length of the JSON number that s begins with, in bytes: 0 if there is none.
func NumberLength(s string) int {
	i := 0
	if i < len(s) && s[i] == '-' {
		i++
	}
	whole := Digits(s[i:])
	if whole == 0 || whole > 1 && s[i] == '0' {
		return 0
	}
	i += whole
	if i < len(s) && s[i] == '.' {
		fraction := Digits(s[i+1:])
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
		exponent := Digits(s[i:])
		if exponent == 0 {
			return 0
		}
		i += exponent
	}
	return i
}

// IsInteger reports whether text is a whole JSON number without an exponent.
func IsInteger(text string) bool {
	unsigned := strings.TrimPrefix(text, "-")
	return text != "" && NumberLength(text) == len(text) && Digits(unsigned) == len(unsigned)
}

// IsDigit reports whether c is a decimal digit.
func IsDigit(c byte) bool { return '0' <= c && c <= '9' }

// Digits counts the decimal digits that s begins with.
func Digits(s string) int {
	for i := range len(s) {
		if !IsDigit(s[i]) {
			return i
		}
	}
	return len(s)
}

// Int reads an integer of so many bits. It returns ErrTypeMismatch for other numbers.
func (r *Reader) Int(bits int) (int64, error) {
	start := r.Mark()
	if short, ok := readDecimal(r); ok && short.scale == 0 {
		if n := short.signed(); n<<(64-bits)>>(64-bits) == n {
			return n, nil
		}
	}
	r.Rewind(start)
	literal, err := r.Number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(literal, 10, bits)
	if err != nil {
		return 0, integerFault(literal, "int", bits)
	}
	return n, nil
}

// Uint reads an unsigned integer of so many bits. It returns ErrTypeMismatch for other numbers.
func (r *Reader) Uint(bits int) (uint64, error) {
	start := r.Mark()
	if short, ok := readDecimal(r); ok && short.scale == 0 && !short.negative {
		if n := short.digits; n<<(64-bits)>>(64-bits) == n {
			return n, nil
		}
	}
	r.Rewind(start)
	literal, err := r.Number()
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
	if Digits(literal) == len(literal) || literal[0] == '-' && Digits(literal[1:]) == len(literal)-1 {
		return faults.Newf(faults.ErrTypeMismatch, "number overflows %s%d", kind, bits)
	}
	return faults.Mismatch("expected a whole number")
}

// Float reads a number, or a string that stands for one, into a float of 32 or 64 bits. It returns ErrTypeMismatch for
// numbers that are too large.
func (r *Reader) Float(bits int) (float64, error) {
	if r.Peek() == '"' {
		return specialFloat(r)
	}
	start := r.pos
	if short, ok := readDecimal(r); ok && bits == 64 {
		if f, ok := short.float(); ok {
			return f, nil
		}
	}
	r.Rewind(start)
	literal, err := r.Number()
	if err != nil {
		return 0, err
	}
	f, err := strconv.ParseFloat(literal, bits)
	if err != nil {
		return 0, faults.Newf(faults.ErrTypeMismatch, "number overflows float%d", bits)
	}
	return f, nil
}

func specialFloat(r *Reader) (float64, error) {
	name, _, err := r.Text()
	if err != nil {
		return 0, err
	}
	switch name {
	case NotANumber:
		return math.NaN(), nil
	case PositiveInfinity:
		return math.Inf(1), nil
	case NegativeInfinity:
		return math.Inf(-1), nil
	}
	return 0, faults.Mismatch("expected a number, found a string")
}
