package wireschema

import "math"

// integerBounds are the least and the greatest of each integer type.
var integerBounds = map[string][2]any{
	"int8": {math.MinInt8, math.MaxInt8}, "int16": {math.MinInt16, math.MaxInt16}, "int32": {math.MinInt32, math.MaxInt32},
	"int64": boundsOfInt64, "int": boundsOfInt64, "time.Duration": boundsOfInt64,
	"uint8": {0, math.MaxUint8}, "uint16": {0, math.MaxUint16}, "uint32": {0, int64(math.MaxUint32)},
	"uint64": {0, uint64(math.MaxUint64)}, "uint": {0, uint64(math.MaxUint64)}, "uintptr": {0, uint64(math.MaxUint64)},
}

var boundsOfInt64 = [2]any{int64(math.MinInt64), int64(math.MaxInt64)}

// builtin describes a type that needs no registration, as SPEC.md of package envelope says.
func builtin(name string) (object, bool) {
	if bounds, ok := integerBounds[name]; ok {
		return object{"type": "integer", "minimum": bounds[0], "maximum": bounds[1]}, true
	}
	switch name {
	case "bool":
		return object{"type": "boolean"}, true
	case "string", "url.URL", "netip.Addr", "netip.AddrPort", "netip.Prefix":
		return object{"type": "string"}, true
	case "uuid.UUID":
		return object{"type": "string", "format": "uuid"}, true
	case "time.Time":
		return object{"type": "string", "format": "date-time"}, true
	case "float32", "float64":
		return float(), true
	case "complex64", "complex128":
		return object{"type": "array", "items": float(), "minItems": 2, "maxItems": 2}, true
	case "big.Int":
		return object{"type": "integer"}, true
	case "big.Rat":
		return object{"type": "string", "pattern": "^-?[0-9]+(/[0-9]+)?$"}, true
	case "big.Float":
		return object{"type": "array", "minItems": 3, "maxItems": 3}, true
	case "json.Number":
		return object{"type": []any{"number", "null"}}, true
	case "json.RawMessage":
		return object{}, true
	case "struct":
		return object{"type": "object"}, true
	}
	return nil, false
}

// float is a number, or one that JSON has none for.
func float() object {
	return object{"anyOf": []any{object{"type": "number"}, object{"enum": []any{"NaN", "Infinity", "-Infinity"}}}}
}
