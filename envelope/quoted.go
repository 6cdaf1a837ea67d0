package envelope

import (
	"reflect"
)

// A quotedPlan is for fields with the option "string" in their tag: what the inner plan writes goes in a
// string, but for null and for numbers that are strings anyway.
type quotedPlan struct {
	inner plan
	kind  reflect.Kind
}

func newQuotedPlan(t reflect.Type, inner plan) quotedPlan {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return quotedPlan{inner: inner, kind: t.Kind()}
}

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
	if written == "null" || p.isSpecial(written) {
		return buf, nil
	}
	return appendText(buf[:start], written)
}

// isSpecial tells whether the text, in quotes, is one of those for numbers that JSON has none for.
func (p quotedPlan) isSpecial(quoted string) bool {
	if p.kind != reflect.Float32 && p.kind != reflect.Float64 {
		return false
	}
	switch quoted {
	case `"` + notANumber + `"`, `"` + positiveInfinity + `"`, `"` + negativeInfinity + `"`:
		return true
	}
	return false
}

func (p quotedPlan) decode(d *decoder, v reflect.Value) error {
	if d.peek() == 'n' {
		return p.inner.decode(d, v)
	}
	start := d.pos
	text, _, err := d.text()
	if err != nil {
		return err
	}
	if p.isSpecial(d.in[start:d.pos]) {
		d.pos = start
		return p.inner.decode(d, v)
	}
	return d.inside(text, func() error { return p.inner.decode(d, v) })
}

// inside reads one value from a text of its own, and makes sure that it takes up all of it.
func (d *decoder) inside(text string, read func() error) error {
	outer, pos := d.in, d.pos
	defer func() { d.in, d.pos = outer, pos }()
	d.in, d.pos = text, 0
	if text == "" || isSpace(text[0]) {
		return mismatch("expected a value in the string")
	}
	if err := read(); err != nil {
		return err
	}
	if d.pos != len(text) {
		return mismatch("expected one value in the string")
	}
	return nil
}
