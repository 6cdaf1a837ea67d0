package envelope

import (
	"reflect"
	"strings"
)

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
