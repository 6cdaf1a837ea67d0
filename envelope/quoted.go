package envelope

import (
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// A quotedPlan is for fields with the option "string" in their tag: what the inner plan writes goes in a string, but
// for null and for numbers that are strings anyway.
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

// isPlain reports whether t, or what it points to, is written by its kind alone.
func (p *planner) isPlain(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return p.types.isByKind(t)
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
	return jsontext.AppendText(buf[:start], written)
}

// isSpecial reports whether the text, in quotes, is one of those for numbers that JSON has none for.
func (p quotedPlan) isSpecial(quoted string) bool {
	if p.kind != reflect.Float32 && p.kind != reflect.Float64 {
		return false
	}
	switch quoted {
	case `"` + jsontext.NotANumber + `"`, `"` + jsontext.PositiveInfinity + `"`, `"` + jsontext.NegativeInfinity + `"`:
		return true
	}
	return false
}

func (p quotedPlan) decode(d *decoder, v reflect.Value) error {
	if d.in.Peek() == 'n' {
		return p.inner.decode(d, v)
	}
	start := d.in.Mark()
	text, _, err := d.in.Text()
	if err != nil {
		return err
	}
	if p.isSpecial(d.in.Since(start)) {
		d.in.Rewind(start)
		return p.inner.decode(d, v)
	}
	if err := d.in.Charge(quotedMemory); err != nil {
		return err
	}
	return d.in.Inside(text, func() error { return p.inner.decode(d, v) })
}
