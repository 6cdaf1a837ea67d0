package native

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Decoded returns a native value as encoding/json decodes it with UseNumber, which is what Machinery reflects. NaN,
// which JSON has not, stays a float64.
func Decoded(v reflect.Value) any {
	switch {
	case isInteger(v.Kind()):
		return json.Number(fmt.Sprint(v.Interface()))
	case isNumber(v.Kind()):
		return v.Float()
	case v.Kind() != reflect.Slice:
		return v.Interface()
	}
	elements := make([]any, v.Len())
	for i := range elements {
		elements[i] = Decoded(v.Index(i))
	}
	return elements
}
