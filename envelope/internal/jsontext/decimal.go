package jsontext

import (
	"math"
	"strconv"
)

// A decimal is a number of at most 18 digits and no exponent: ±digits / 10^scale.
type decimal struct {
	digits   uint64
	scale    int
	negative bool
}

// readDecimal reads a number that is short enough, as most are; if it is not, nothing is read and ok is false.
func readDecimal(r *Reader) (n decimal, ok bool) {
	const longest = 18
	in, i := r.in, r.pos
	if i < len(in) && in[i] == '-' {
		n.negative = true
		i++
	}
	start := i
	for ; i < len(in) && IsDigit(in[i]); i++ {
		n.digits = n.digits*10 + uint64(in[i]-'0')
	}
	whole := i - start
	if whole == 0 || whole > 1 && in[start] == '0' {
		return n, false
	}
	if i < len(in) && in[i] == '.' {
		point := i
		for i++; i < len(in) && IsDigit(in[i]); i++ {
			n.digits = n.digits*10 + uint64(in[i]-'0')
		}
		if n.scale = i - point - 1; n.scale == 0 {
			return n, false
		}
	}
	if whole+n.scale > longest || i < len(in) && in[i]|0x20 == 'e' {
		return n, false
	}
	r.pos = i
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

// appendThousandths writes f if it is a number of whole thousandths with at most 15 digits, as most are; if it is not,
// nothing is written and ok is false. No float64 is the nearest to two such numbers, so that the one found is the
// shortest that reads back as f.
func appendThousandths(buf []byte, f float64) (_ []byte, ok bool) {
	scaled := math.Abs(f)*1e3 + 0.5
	if scaled >= 1e15 {
		return buf, false
	}
	thousandths := int64(scaled)
	if float64(thousandths)/1e3 != math.Abs(f) {
		return buf, false
	}
	if math.Signbit(f) {
		buf = append(buf, '-')
	}
	buf = strconv.AppendInt(buf, thousandths/1e3, 10)
	rest := thousandths % 1e3
	if rest == 0 {
		return buf, true
	}
	buf = append(buf, '.', digit(rest/100), digit(rest/10), digit(rest))
	for buf[len(buf)-1] == '0' {
		buf = buf[:len(buf)-1]
	}
	return buf, true
}

// digit returns the last digit of n.
func digit(n int64) byte { return '0' + byte(n%10) }
