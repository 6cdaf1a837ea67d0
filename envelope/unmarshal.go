package envelope

import (
	"context"
	"reflect"
	"strings"
)

// Unmarshal opens an envelope into the value that target, a non-nil pointer, points to. The target's type
// decides what is accepted: an envelope of that type, of a pointer to it unless it is null, or of what it
// points to. Named basic types that are not registered take envelopes of their kind. A target of an interface
// type takes any registered type that implements it, unless that is StaticOnly. What can be nil takes a nil of
// type any. What the target held is overwritten, never merged; after an error it is zero.
//
// The context reaches the functions given to [Convert] and [Upgrade] and the [Store]. Errors are of type *[Error]
// with the path to the fault: ErrMalformed, ErrUnknownType, ErrUnknownVersion, ErrTypeMismatch, ErrUnregistered,
// ErrUnsupported, ErrLimit, ErrUnencrypted, ErrUndecryptable, ErrMissingPayload, or an error from a converter, an
// upgrade or the store.
func (r *Registry) Unmarshal(ctx context.Context, s string, target any) error {
	pointer := reflect.ValueOf(target)
	if pointer.Kind() != reflect.Pointer || pointer.IsNil() {
		return rooted("", unsupported("target is not a non-nil pointer"))
	}
	v := pointer.Elem()
	v.SetZero()
	d := newDecoder(ctx, r, s)
	defer d.release()
	if err := d.outermost(v); err != nil {
		v.SetZero()
		return err
	}
	return nil
}

// UnmarshalAny opens an envelope of any registered or built-in type, unless that is StaticOnly, and returns a
// value of just that type: nil for the type any and null. Errors are those of [Registry.Unmarshal].
func (r *Registry) UnmarshalAny(ctx context.Context, s string) (any, error) {
	var value any
	err := r.Unmarshal(ctx, s, &value)
	return value, err
}

// outermost reads the whole input into v.
func (d *decoder) outermost(v reflect.Value) error {
	if err := d.settings.checkSize(len(d.in)); err != nil {
		return rooted("", err)
	}
	label, err := d.opened(v)
	if err == nil {
		err = d.endEnvelope()
	}
	if err == nil {
		err = d.end()
	}
	return rooted(label, err)
}

// opened reads header and data, and returns what the type is called in errors.
func (d *decoder) opened(v reflect.Value) (label string, err error) {
	if w, err := d.catalog.wire(v.Type()); err == nil && d.hasHeaderOf(w) {
		return w.expression, w.plan.decode(d, v)
	}
	h, err := d.header()
	if err != nil {
		return "", err
	}
	x, err := parseExpression(h.expression, d.settings)
	if err != nil {
		return "", err
	}
	if err := d.openPayload(&h, x, v.Type()); err != nil {
		return h.expression, err
	}
	if v.Kind() == reflect.Interface {
		return h.expression, d.dynamicInto(h, v)
	}
	return h.expression, d.static(h, x, v)
}

// hasHeaderOf takes the header if it is just what is written for the type, or for a pointer to it that is not
// nil. Most are, and then there is nothing to take apart.
func (d *decoder) hasHeaderOf(w *wire) bool {
	if !w.readsPlain {
		return false
	}
	if strings.HasPrefix(d.in, w.header) {
		d.pos = len(w.header)
		return true
	}
	if w.goType.Kind() == reflect.Interface || !strings.HasPrefix(d.in, w.pointerHeader) {
		return false
	}
	d.pos = len(w.pointerHeader)
	if d.null() {
		d.pos = 0
		return false
	}
	return true
}

// openPayload makes sure that the envelope may be read, by its header, and undoes what was done to its payload.
func (d *decoder) openPayload(h *header, x *expression, place reflect.Type) error {
	applied, err := d.admit(h, x, place)
	if err != nil || len(h.encoding) == 0 && !h.hasRef {
		return err
	}
	if err := d.catalog.checkPlace(x, place); err != nil {
		return err
	}
	if err := d.unseal(h, applied); err != nil {
		return err
	}
	if h.codec == jsonCodec && d.in == sealedNull {
		h.codec = d.catalog.codecNamed(x)
	}
	return nil
}

// checkPlace refuses types that do not fit, before a payload is fetched and undone for them.
func (c *catalog) checkPlace(x *expression, place reflect.Type) error {
	switch {
	case x.name == anyName:
		return nil
	case place.Kind() == reflect.Interface:
		_, err := c.chosen(x.String(), place)
		return err
	case c.fits(x, place), x.kind == pointerTo && c.fits(x.element, place),
		place.Kind() == reflect.Pointer && c.fits(x, place.Elem()):
		return nil
	}
	return c.misfit(x, place)
}

// misfit says why an expression does not fit a type.
func (c *catalog) misfit(x *expression, t reflect.Type) error {
	if err := c.unknownName(x); err != nil {
		return err
	}
	return faultf(ErrTypeMismatch, "envelope of %s does not fit %s", x, t)
}

// dynamicInto reads data of the type that the envelope names into an interface. A nil interface is sent as nil of
// the empty one, whichever it was.
func (d *decoder) dynamicInto(h header, v reflect.Value) error {
	if h.expression == anyName && d.null() {
		return nil
	}
	w, err := d.catalog.chosen(h.expression, v.Type())
	if err != nil {
		return err
	}
	value, err := d.dynamic(h, w)
	if err != nil {
		return err
	}
	v.Set(value)
	return nil
}

// static reads data into a value whose type decides, if the envelope's type fits it.
func (d *decoder) static(h header, x *expression, v reflect.Value) error {
	t := v.Type()
	switch {
	case d.catalog.fits(x, t):
		return d.data(h, v)
	case x.kind == pointerTo && d.catalog.fits(x.element, t):
		return d.dataBehindPointer(h, v)
	case t.Kind() == reflect.Pointer && d.catalog.fits(x, t.Elem()):
		v.Set(reflect.New(t.Elem()))
		return d.data(h, v.Elem())
	case x.name == anyName && d.null():
		return nilInto(t)
	}
	return d.catalog.misfit(x, t)
}

// nilInto allows for nil where the sender could not know which type of nil is wanted.
func nilInto(t reflect.Type) error {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return nil
	}
	return faultf(ErrTypeMismatch, "nil does not fit %s", t)
}

// data reads the data of an envelope whose type fits v.
func (d *decoder) data(h header, v reflect.Value) error {
	read, err := d.catalog.planAt(v.Type(), h)
	if err != nil {
		return err
	}
	return read.decode(d, v)
}

// dataBehindPointer reads what a pointer pointed to, which nil does not.
func (d *decoder) dataBehindPointer(h header, v reflect.Value) error {
	if d.null() {
		return faultf(ErrTypeMismatch, "null does not fit %s", v.Type())
	}
	return d.data(h, v)
}
