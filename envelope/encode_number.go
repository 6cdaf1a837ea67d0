package envelope

import (
	"math"
	"strconv"
)

type signed interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64
}

type unsigned interface {
	~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr
}

// Numbers that JSON has none for travel as these strings.
const (
	notANumber       = "NaN"
	positiveInfinity = "Infinity"
	negativeInfinity = "-Infinity"
)

func appendBool(buf []byte, b bool) ([]byte, error) { return strconv.AppendBool(buf, b), nil }

func appendInt[I signed](buf []byte, n I) ([]byte, error) {
	return strconv.AppendInt(buf, int64(n), 10), nil
}

func appendUint[U unsigned](buf []byte, n U) ([]byte, error) {
	return strconv.AppendUint(buf, uint64(n), 10), nil
}

func appendFloat32(buf []byte, f float32) ([]byte, error) {
	return appendFloat(buf, float64(f), 32), nil
}
func appendFloat64(buf []byte, f float64) ([]byte, error) { return appendFloat(buf, f, 64), nil }

// appendFloat writes the shortest number that reads back as f.
func appendFloat(buf []byte, f float64, bits int) []byte {
	if special := specialFloat(f); special != "" {
		buf = append(buf, '"')
		buf = append(buf, special...)
		return append(buf, '"')
	}
	if !needsExponent(math.Abs(f), bits) {
		return strconv.AppendFloat(buf, f, 'f', -1, bits)
	}
	buf = strconv.AppendFloat(buf, f, 'e', -1, bits)
	return trimExponent(buf)
}

// needsExponent draws the line where ECMAScript and encoding/json draw it.
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

func specialFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return notANumber
	case math.IsInf(f, 1):
		return positiveInfinity
	case math.IsInf(f, -1):
		return negativeInfinity
	}
	return ""
}
