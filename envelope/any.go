package envelope

import (
	"reflect"
	"slices"
	"strings"
)

// formatKey is the first key of every envelope.
const formatKey = "$envelope"

// Inside the empty interface plain JSON stands for nil, bool, string, float64, []any and map[string]any; every
// other type travels in an envelope of its own. These plans do without reflection.
type (
	anyPlan       struct{}
	anyListPlan   struct{}
	anyMapPlan    struct{}
	stringMapPlan struct{}
)

func (anyPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return appendNull(buf), nil
	}
	return e.any(buf, v.Interface())
}

func (anyPlan) decode(d *decoder, v reflect.Value) error {
	value, err := d.any()
	if err != nil || value == nil {
		return err
	}
	v.Set(reflect.ValueOf(value))
	return nil
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

// appendStringMap writes the entries of a map, sorted by key.
func appendStringMap[V any](buf []byte, m map[string]V, appendValue func([]byte, V) ([]byte, error)) (_ []byte, err error) {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	buf = append(buf, '{')
	for i, key := range keys {
		if i > 0 {
			buf = append(buf, ',')
		}
		if buf, err = appendText(buf, key); err != nil {
			return buf, err
		}
		buf = append(buf, ':')
		if buf, err = appendValue(buf, m[key]); err != nil {
			return buf, err
		}
	}
	return append(buf, '}'), nil
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

func (stringMapPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	m := *v.Addr().Interface().(*map[string]string)
	if m == nil {
		return appendNull(buf), nil
	}
	if err := e.open(len(buf), len(m)); err != nil {
		return buf, err
	}
	buf, err := appendStringMap(buf, m, appendText)
	if err != nil {
		return buf, withinEntry(err)
	}
	e.leave()
	return buf, nil
}

// any reads a value into an empty interface.
func (d *decoder) any() (any, error) {
	switch c := d.peek(); {
	case c == '"':
		return boxed(d.ownText())
	case c == '[':
		return boxed(d.anyList())
	case c == '{' && d.atEnvelope():
		return d.nestedAny()
	case c == '{':
		return boxed(d.anyMap(refuseFormatKey))
	case c == 't' || c == 'f':
		return boxed(d.bool())
	case d.null():
		return nil, nil
	case c == '-' || isDigit(c):
		return boxed(d.float(64))
	}
	return nil, d.unexpected("a value")
}

// boxed keeps what came with an error out of the interface.
func boxed[T any](value T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return value, nil
}

// atEnvelope tells whether the object that follows begins as envelopes do, by the decoded name of its first key.
func (d *decoder) atEnvelope() bool {
	if strings.HasPrefix(d.in[d.pos:], envelopePrefix) {
		return true
	}
	start := d.pos
	defer func() { d.pos = start }()
	d.pos++
	name, err := d.key()
	return err == nil && name == formatKey
}

func (d *decoder) anyList() ([]any, error) {
	empty, err := d.open('[', ']', "an array")
	if err != nil {
		return nil, err
	}
	list := []any{}
	for i, more := 0, !empty; more; i++ {
		if err := d.count(); err != nil {
			return nil, err
		}
		element, err := d.any()
		if err != nil {
			return nil, withinElement(i, err)
		}
		list = append(list, element)
		if more, err = d.more(']'); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// refuseFormatKey keeps an envelope's first key from standing anywhere else.
func refuseFormatKey(name string) error {
	if name == formatKey {
		return malformed(formatKey + " is not the first key")
	}
	return nil
}

func allowAnyKey(string) error { return nil }

func (d *decoder) anyMap(checkKey func(string) error) (map[string]any, error) {
	return decodeStringMap(d, checkKey, (*decoder).any)
}

// decodeStringMap reads an object into a map.
func decodeStringMap[V any](d *decoder, checkKey func(string) error, value func(*decoder) (V, error)) (map[string]V, error) {
	empty, err := d.open('{', '}', "an object")
	if err != nil {
		return nil, err
	}
	m := map[string]V{}
	for more := !empty; more; {
		if err := decodeStringEntry(d, m, checkKey, value); err != nil {
			return nil, withinEntry(err)
		}
		if more, err = d.more('}'); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func decodeStringEntry[V any](d *decoder, m map[string]V, checkKey func(string) error, value func(*decoder) (V, error)) error {
	if err := d.count(); err != nil {
		return err
	}
	key, err := d.key()
	if err != nil {
		return err
	}
	if err := checkKey(key); err != nil {
		return err
	}
	read, err := value(d)
	if err != nil {
		return err
	}
	before := len(m)
	m[d.own(key)] = read
	if len(m) == before {
		return malformed("duplicate name")
	}
	return nil
}

func (anyListPlan) decode(d *decoder, v reflect.Value) (err error) {
	if d.null() {
		return nil
	}
	*v.Addr().Interface().(*[]any), err = d.anyList()
	return err
}

func (anyMapPlan) decode(d *decoder, v reflect.Value) (err error) {
	if d.null() {
		return nil
	}
	*v.Addr().Interface().(*map[string]any), err = d.anyMap(allowAnyKey)
	return err
}

func (stringMapPlan) decode(d *decoder, v reflect.Value) (err error) {
	if d.null() {
		return nil
	}
	*v.Addr().Interface().(*map[string]string), err = decodeStringMap(d, allowAnyKey, (*decoder).ownText)
	return err
}
