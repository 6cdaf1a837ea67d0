package envelope

import (
	"reflect"
)

// formatKey is the first key of every envelope.
const formatKey = "$envelope"

// Inside the empty interface plain JSON stands for nil, bool, string, float64, []any and map[string]any; every
// other type travels in an envelope of its own. These plans do without reflection.
type (
	anyPlan     struct{}
	anyListPlan struct{}
	anyMapPlan  struct{}
)

func (anyPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return appendNull(buf), nil
	}
	return e.any(buf, v.Interface())
}

// any writes a value that stands in an empty interface.
func (e *encoder) any(buf []byte, value any) ([]byte, error) {
	switch value := value.(type) {
	case nil:
		return appendNull(buf), nil
	case bool:
		return appendBool(buf, value)
	case string:
		return appendText(buf, value)
	case float64:
		if specialFloat(value) == "" {
			return appendFloat64(buf, value)
		}
	case []any:
		if value != nil {
			return e.anyList(buf, value)
		}
	case map[string]any:
		if _, ok := value[formatKey]; !ok && value != nil {
			return e.anyMap(buf, value)
		}
	}
	return e.nested(buf, reflect.ValueOf(value))
}

var (
	anyListType = reflect.TypeFor[[]any]()
	anyMapType  = reflect.TypeFor[map[string]any]()
)

func (e *encoder) anyList(buf []byte, list []any) (_ []byte, err error) {
	if err := e.open(len(buf), len(list)); err != nil {
		return buf, err
	}
	address := reflect.ValueOf(list).Pointer()
	if err := e.visit(anyListType, address, len(list)); err != nil {
		return buf, err
	}
	buf = append(buf, '[')
	for i, element := range list {
		if i > 0 {
			buf = append(buf, ',')
		}
		if buf, err = e.any(buf, element); err != nil {
			return buf, withinElement(i, err)
		}
	}
	e.unvisit(anyListType, address, len(list))
	e.leave()
	return append(buf, ']'), nil
}

func (e *encoder) anyMap(buf []byte, m map[string]any) ([]byte, error) {
	if err := e.open(len(buf), len(m)); err != nil {
		return buf, err
	}
	address := reflect.ValueOf(m).Pointer()
	if err := e.visit(anyMapType, address, 0); err != nil {
		return buf, err
	}
	buf, err := appendStringMap(buf, m, e.any)
	if err != nil {
		return buf, withinEntry(err)
	}
	e.unvisit(anyMapType, address, 0)
	e.leave()
	return buf, nil
}

func (anyListPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	list := *v.Addr().Interface().(*[]any)
	if list == nil {
		return appendNull(buf), nil
	}
	return e.anyList(buf, list)
}

func (anyMapPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	m := *v.Addr().Interface().(*map[string]any)
	if m == nil {
		return appendNull(buf), nil
	}
	return e.anyMap(buf, m)
}
