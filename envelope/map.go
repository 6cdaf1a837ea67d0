package envelope

import (
	"reflect"
	"slices"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// A mapPlan writes a map as an object with sorted keys, and null for nil.
type mapPlan struct {
	goType reflect.Type
	values reflect.Type // slice of the map's elements
	memory entryMemory
	key    keyPlan
	value  plan
}

func newMapPlan(t reflect.Type) *mapPlan {
	return &mapPlan{goType: t, values: reflect.SliceOf(t.Elem()), memory: entryMemoryOf(t)}
}

// A mapEntry is an entry on its way out: the text of its key, and where its value is kept.
type mapEntry struct {
	text  string
	value int
}

func (p *planner) mapping(t reflect.Type) plan {
	result := keep(p, t, newMapPlan(t))
	key, err := p.types.keyPlanFor(t.Key())
	if err != nil {
		return p.fail(err)
	}
	result.key = p.verifiedKey(t.Key(), key)
	result.value = p.step(anyKey, t.Elem())
	return result
}

func (p *mapPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return jsontext.AppendNull(buf), nil
	}
	address := v.Pointer()
	if err := e.open(len(buf), v.Len()); err != nil {
		return buf, err
	}
	if err := e.visit(p.goType, address, 0); err != nil {
		return buf, err
	}
	buf, err := p.encodeEntries(e, buf, v)
	if err != nil {
		return buf, withinEntry(err)
	}
	e.unvisit(p.goType, address, 0)
	e.leave()
	return buf, nil
}

func (p *mapPlan) encodeEntries(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	entries, values, err := p.sorted(e, v)
	if err != nil {
		return buf, err
	}
	buf = append(buf, '{')
	for i, entry := range entries {
		if i > 0 {
			buf = append(buf, ',')
		}
		if buf, err = jsontext.AppendText(buf, entry.text); err != nil {
			return buf, err
		}
		buf = append(buf, ':')
		if buf, err = p.value.encode(e, buf, values.Index(entry.value)); err != nil {
			return buf, err
		}
	}
	return append(buf, '}'), nil
}

// sorted lists the entries in the order of their keys' text, and copies their values to where they have an address.
func (p *mapPlan) sorted(e *encoder, v reflect.Value) ([]mapEntry, reflect.Value, error) {
	length := v.Len()
	entries := make([]mapEntry, 0, length)
	values := reflect.MakeSlice(p.values, length, length)
	key := reflect.New(p.goType.Key()).Elem()
	for iterator := v.MapRange(); iterator.Next() && len(entries) < length; {
		key.SetIterKey(iterator)
		text, err := p.key.text(e, key)
		if err != nil {
			return nil, values, err
		}
		values.Index(len(entries)).SetIterValue(iterator)
		entries = append(entries, mapEntry{text: text, value: len(entries)})
	}
	slices.SortFunc(entries, func(a, b mapEntry) int { return strings.Compare(a.text, b.text) })
	for i := 1; i < len(entries); i++ {
		if entries[i].text == entries[i-1].text {
			return nil, values, faults.Unsupported("two keys have the same text: give them texts that differ, or send a slice of a struct `struct { Key K; Value V }`")
		}
	}
	return entries, values, nil
}

func (p *mapPlan) decode(d *decoder, v reflect.Value) error {
	if d.in.Null() {
		return nil
	}
	empty, err := d.in.OpenObject()
	if err != nil {
		return err
	}
	if err := d.in.Charge(mapMemory); err != nil {
		return err
	}
	v.Set(reflect.MakeMap(p.goType))
	if empty {
		return nil
	}
	if err := d.in.Fits(least(p.value)); err != nil {
		return err
	}
	key, err := d.newValue(p.goType.Key())
	if err != nil {
		return err
	}
	value, err := d.newValue(p.goType.Elem())
	if err != nil {
		return err
	}
	for read, more := 1, true; more; read++ {
		if err := p.memory.charge(&d.in.Budget, read-1); err != nil {
			return err
		}
		if err := p.decodeEntry(d, v, key, value); err != nil {
			return withinEntry(err)
		}
		if v.Len() != read {
			return withinEntry(errDuplicateName())
		}
		if more, err = d.in.More('}'); err != nil {
			return err
		}
	}
	return nil
}

// decodeEntry reads one entry into m, by way of the given key and value.
func (p *mapPlan) decodeEntry(d *decoder, m, key, value reflect.Value) error {
	text, err := d.in.Key()
	if err != nil {
		return err
	}
	key.SetZero()
	if err := p.key.parse(d, text, key); err != nil {
		return err
	}
	value.SetZero()
	if err := p.value.decode(d, value); err != nil {
		return err
	}
	m.SetMapIndex(key, value)
	return nil
}
