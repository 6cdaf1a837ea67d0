package wirelock

import (
	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// integers are the bits that integers have, negative for those with a sign.
var integers = map[string]int{
	"int8": -8, "int16": -16, "int32": -32, "int64": -64, "int": -64, "time.Duration": -64,
	"uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64, "uint": 64, "uintptr": 64,
}

// exactly are the bits of an integer that a float holds without rounding.
var exactly = map[string]int{"float32": 24, "float64": 53}

// texts are the built-in types that are written as a string.
var texts = map[string]bool{
	"string": true, "time.Time": true, "big.Rat": true, "url.URL": true, "netip.Addr": true, "netip.AddrPort": true,
	"netip.Prefix": true, "uuid.UUID": true,
}

// readsBasic reports whether every value of a form that has no parts is read as the same one.
func readsBasic(written, read shape) bool {
	w, f := written.Form.String(), read.Form.String()
	switch {
	case w == f:
		return true
	case f == "string":
		return texts[w] || written.Kind == wireschema.OwnText || isBytes(written)
	case f == "json.Number":
		return integers[w] != 0 || w == "big.Int"
	case f == "big.Int":
		return integers[w] != 0
	case exactly[f] != 0:
		return w == "float32" || integers[w] != 0 && magnitude(integers[w]) <= exactly[f]
	case w == "complex64":
		return f == "complex128"
	}
	return holdsInteger(integers[w], integers[f])
}

// magnitude is how many bits the largest number has, its sign aside.
func magnitude(bits int) int {
	if bits < 0 {
		return -bits - 1
	}
	return bits
}

// holdsInteger reports whether an integer of some bits, 0 for none, fits others.
func holdsInteger(written, read int) bool {
	if written == 0 || read == 0 || written < 0 && read > 0 {
		return false
	}
	return magnitude(written) <= magnitude(read)
}

// readsKey reports whether every key of a map is read as the same one. All keys are text.
func readsKey(written, read string) bool {
	return written == read || read == "string" || holdsInteger(integers[written], integers[read])
}

// hasLargeNumbers reports whether values hold numbers that are rounded where no type says what they are.
func (x *index) hasLargeNumbers(s shape) bool {
	seen := map[string]bool{}
	var search func(s shape) bool
	search = func(s shape) bool {
		name := s.Form.String()
		if seen[name] {
			return false
		}
		seen[name] = true
		if s.structure != nil {
			for _, field := range s.structure.Fields {
				if !field.Quoted && search(x.resolve(parse(field.Form))) {
					return true
				}
			}
			return false
		}
		if s.Element != nil {
			return !isBytes(s) && search(x.resolve(*s.Element))
		}
		return magnitude(integers[name]) > exactly["float64"] || name == "big.Int" || name == "json.Number" ||
			name == "json.RawMessage" || s.Kind == wireschema.OwnJSON
	}
	return search(s)
}
