package envelope

import (
	"reflect"
	"slices"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

var (
	stringMapEntries = entryMemoryOf(reflect.TypeFor[map[string]string]())
	anyMapEntries    = entryMemoryOf(anyMapType)
)

// stringMapPlan is a mapPlan for map[string]string, without reflection on its entries.
type stringMapPlan struct{}

func (stringMapPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	m := *v.Addr().Interface().(*map[string]string)
	if m == nil {
		return jsontext.AppendNull(buf), nil
	}
	if err := e.open(len(buf), len(m)); err != nil {
		return buf, err
	}
	buf, err := appendStringMap(buf, m, jsontext.AppendText)
	if err != nil {
		return buf, withinEntry(err)
	}
	e.leave()
	return buf, nil
}

func (stringMapPlan) decode(d *decoder, v reflect.Value) (err error) {
	if d.in.Null() {
		return nil
	}
	*v.Addr().Interface().(*map[string]string), err = decodeStringMap(d, stringMapEntries, allowAnyKey, readText)
	return err
}

func readText(d *decoder) (string, error) { return d.in.OwnText() }

// appendStringMap writes the entries of a map, sorted by key.
func appendStringMap[V any](buf []byte, m map[string]V, appendValue func([]byte, V) ([]byte, error)) (_ []byte, err error) {
	var few [8]string // most maps need no more, and no allocation
	keys := few[:0]
	if len(m) > len(few) {
		keys = make([]string, 0, len(m))
	}
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	buf = append(buf, '{')
	for i, key := range keys {
		if i > 0 {
			buf = append(buf, ',')
		}
		if buf, err = jsontext.AppendText(buf, key); err != nil {
			return buf, err
		}
		buf = append(buf, ':')
		if buf, err = appendValue(buf, m[key]); err != nil {
			return buf, err
		}
	}
	return append(buf, '}'), nil
}

// decodeStringMap reads an object into a map.
func decodeStringMap[V any](
	d *decoder, memory entryMemory, checkKey func(string) error, value func(*decoder) (V, error),
) (map[string]V, error) {
	empty, err := d.in.OpenObject()
	if err != nil {
		return nil, err
	}
	if err := d.in.Charge(mapMemory); err != nil {
		return nil, err
	}
	m := map[string]V{}
	for more := !empty; more; {
		if err := memory.charge(&d.in.Budget, len(m)); err != nil {
			return nil, err
		}
		if err := decodeStringEntry(d, m, checkKey, value); err != nil {
			return nil, withinEntry(err)
		}
		if more, err = d.in.More('}'); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func decodeStringEntry[V any](d *decoder, m map[string]V, checkKey func(string) error, value func(*decoder) (V, error)) error {
	key, err := d.in.Key()
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
	if key, err = d.in.Own(key); err != nil {
		return err
	}
	before := len(m)
	m[key] = read
	if len(m) == before {
		return errDuplicateName()
	}
	return nil
}
