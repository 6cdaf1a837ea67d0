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

func (anyPlan) encode(e *encoder, v reflect.Value) error {
	if v.IsNil() {
		e.null()
		return nil
	}
	return e.any(v.Interface())
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
func (e *encoder) any(value any) (err error) {
	switch value := value.(type) {
	case nil:
		e.null()
		return nil
	case bool:
		e.buf, err = appendBool(e.buf, value)
		return err
	case string:
		e.buf, err = appendText(e.buf, value)
		return err
	case float64:
		if specialFloat(value) == "" {
			e.buf = appendFloat(e.buf, value, 64)
			return nil
		}
	case []any:
		if value != nil {
			return e.anyList(value)
		}
	case map[string]any:
		if _, ok := value[formatKey]; !ok && value != nil {
			return e.anyMap(value)
		}
	}
	return e.nested(reflect.ValueOf(value))
}

func (e *encoder) anyList(list []any) error {
	if err := e.open(len(list)); err != nil {
		return err
	}
	address := reflect.ValueOf(list).Pointer()
	if err := e.visit(anyListType, address, len(list)); err != nil {
		return err
	}
	e.buf = append(e.buf, '[')
	for i, element := range list {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		if err := e.any(element); err != nil {
			return withinElement(i, err)
		}
	}
	e.buf = append(e.buf, ']')
	e.unvisit(anyListType, address, len(list))
	e.leave()
	return nil
}

var (
	anyListType = reflect.TypeFor[[]any]()
	anyMapType  = reflect.TypeFor[map[string]any]()
)

func (e *encoder) anyMap(m map[string]any) error {
	if err := e.open(len(m)); err != nil {
		return err
	}
	address := reflect.ValueOf(m).Pointer()
	if err := e.visit(anyMapType, address, 0); err != nil {
		return err
	}
	err := encodeStringMap(e, m, e.any)
	if err != nil {
		return err
	}
	e.unvisit(anyMapType, address, 0)
	e.leave()
	return nil
}

// encodeStringMap writes the entries of a map, sorted by key.
func encodeStringMap[V any](e *encoder, m map[string]V, value func(V) error) (err error) {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	e.buf = append(e.buf, '{')
	for i, key := range keys {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		if e.buf, err = appendText(e.buf, key); err != nil {
			return withinEntry(err)
		}
		e.buf = append(e.buf, ':')
		if err := value(m[key]); err != nil {
			return withinEntry(err)
		}
	}
	e.buf = append(e.buf, '}')
	return nil
}

func (anyListPlan) encode(e *encoder, v reflect.Value) error {
	list := *v.Addr().Interface().(*[]any)
	if list == nil {
		e.null()
		return nil
	}
	return e.anyList(list)
}

func (anyMapPlan) encode(e *encoder, v reflect.Value) error {
	m := *v.Addr().Interface().(*map[string]any)
	if m == nil {
		e.null()
		return nil
	}
	return e.anyMap(m)
}

func (stringMapPlan) encode(e *encoder, v reflect.Value) error {
	m := *v.Addr().Interface().(*map[string]string)
	if m == nil {
		e.null()
		return nil
	}
	if err := e.open(len(m)); err != nil {
		return err
	}
	err := encodeStringMap(e, m, func(value string) (err error) {
		e.buf, err = appendText(e.buf, value)
		return err
	})
	e.leave()
	return err
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
	ahead := *d
	ahead.pos++
	name, err := ahead.key()
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
	m[strings.Clone(key)] = read
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
