package envelope

import (
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// formatKey is the first key of every envelope.
const formatKey = "$envelope"

// Inside the empty interface plain JSON stands for nil, bool, string, float64, []any and map[string]any; every other
// type travels in an envelope of its own. These plans do without reflection.
type (
	anyPlan     struct{}
	anyListPlan struct{}
	anyMapPlan  struct{}
)

func (anyPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return jsontext.AppendNull(buf), nil
	}
	return e.any(buf, v.Interface())
}

// any writes a value that stands in an empty interface.
func (e *encoder) any(buf []byte, value any) ([]byte, error) {
	switch value := value.(type) {
	case nil:
		return jsontext.AppendNull(buf), nil
	case bool:
		return appendBool(buf, value)
	case string:
		return jsontext.AppendText(buf, value)
	case float64:
		if jsontext.SpecialFloat(value) == "" {
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
	if buf, err = appendList(buf, list, e.any); err != nil {
		return buf, err
	}
	e.unvisit(anyListType, address, len(list))
	e.leave()
	return buf, nil
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
		return jsontext.AppendNull(buf), nil
	}
	return e.anyList(buf, list)
}

func (anyMapPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	m := *v.Addr().Interface().(*map[string]any)
	if m == nil {
		return jsontext.AppendNull(buf), nil
	}
	return e.anyMap(buf, m)
}
func (anyPlan) decode(d *decoder, v reflect.Value) error {
	value, err := d.any()
	if err != nil || value == nil {
		return err
	}
	v.Set(reflect.ValueOf(value))
	return nil
}

// any reads a value into an empty interface.
func (d *decoder) any() (any, error) {
	if err := d.in.Charge(boxMemory); err != nil {
		return nil, err
	}
	switch c := d.in.Peek(); {
	case c == '"':
		return boxed(d.in.OwnText())
	case c == '[':
		return boxed(d.anyList())
	case c == '{' && atEnvelope(&d.in):
		return d.nested(&anyTarget)
	case c == '{':
		return boxed(d.anyMap(refuseFormatKey))
	case c == 't' || c == 'f':
		return boxed(d.in.Bool())
	case d.in.Null():
		return nil, nil
	case c == '-' || jsontext.IsDigit(c):
		return boxed(d.in.Float(64))
	}
	return nil, d.in.Unexpected("a value")
}

// boxed keeps what came with an error out of the interface.
func boxed[T any](value T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return value, nil
}

// atEnvelope reports whether the object that follows begins as envelopes do, by the decoded name of its first key.
func atEnvelope(r *jsontext.Reader) bool {
	if r.HasPrefix(envelopePrefix) {
		return true
	}
	start := r.Mark()
	defer r.Rewind(start)
	r.Take('{')
	name, err := r.Key()
	return err == nil && name == formatKey
}

func (d *decoder) anyList() ([]any, error) {
	return readList(&d.in, d, (*decoder).any)
}

// refuseFormatKey keeps an envelope's first key from standing anywhere else.
func refuseFormatKey(name string) error {
	if name == formatKey {
		return faults.Malformed(formatKey + " is not the first key")
	}
	return nil
}

func allowAnyKey(string) error { return nil }

func (d *decoder) anyMap(checkKey func(string) error) (map[string]any, error) {
	return decodeStringMap(d, anyMapEntries, checkKey, (*decoder).any)
}

func (anyListPlan) decode(d *decoder, v reflect.Value) (err error) {
	if d.in.Null() {
		return nil
	}
	*v.Addr().Interface().(*[]any), err = d.anyList()
	return err
}

func (anyMapPlan) decode(d *decoder, v reflect.Value) (err error) {
	if d.in.Null() {
		return nil
	}
	*v.Addr().Interface().(*map[string]any), err = d.anyMap(allowAnyKey)
	return err
}
