package envelope

import (
	"reflect"
	"strings"
)

// A quotedPlan is for fields with the option "string" in their tag: what the inner plan writes goes in a string.
type quotedPlan struct{ inner plan }

// isPlain tells whether t, or what it points to, is written by its kind alone.
func (c *catalog) isPlain(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return c.isByKind(t)
}

func (p quotedPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	start := len(buf)
	buf, err := p.inner.encode(e, buf, v)
	if err != nil {
		return buf, err
	}
	written := string(buf[start:])
	if written == "null" || isSpecialFloat(written) {
		return buf, nil
	}
	return appendText(buf[:start], written)
}

// isSpecialFloat tells whether the JSON is one of the strings for numbers that JSON has none for.
func isSpecialFloat(text string) bool {
	switch strings.Trim(text, `"`) {
	case notANumber, positiveInfinity, negativeInfinity:
		return true
	}
	return false
}

func (p quotedPlan) decode(d *decoder, v reflect.Value) error {
	if d.peek() != '"' {
		if !strings.HasPrefix(d.in[d.pos:], "null") {
			return d.unexpected("a string")
		}
		return p.inner.decode(d, v)
	}
	start := d.pos
	text, _, err := d.text()
	if err != nil {
		return err
	}
	if isSpecialFloat(text) {
		d.pos = start
		return p.inner.decode(d, v)
	}
	inside := *d
	inside.in, inside.pos = text, 0
	if err := p.inner.decode(&inside, v); err != nil {
		return err
	}
	if inside.pos != len(text) {
		return mismatch("expected one value in the string")
	}
	return nil
}
