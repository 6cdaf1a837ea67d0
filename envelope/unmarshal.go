package envelope

import (
	"context"
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// Unmarshal opens an envelope into the value that target, a non-nil pointer, points to. The target's type decides what
// is accepted: an envelope of that type, of a pointer to it unless it is null, or of what it points to. Named basic
// types that are not registered take envelopes of their kind. A target of an interface type takes any registered type
// that implements it, unless that is StaticOnly. What can be nil takes a nil of type any. What the target held is
// overwritten, never merged; after an error it is zero.
//
// The context reaches the functions given to [Convert] and [Upgrade] and the [Store]. Errors are of type *[Error] with
// the path to the fault: ErrMalformed, ErrUnknownType, ErrUnknownVersion, ErrTypeMismatch, ErrUnregistered,
// ErrUnsupported, ErrLimit, ErrUnencrypted, ErrUndecryptable, ErrMissingPayload, or an error from a converter, an
// upgrade or the store.
func (r *Registry) Unmarshal(ctx context.Context, s string, target any) error {
	pointer := reflect.ValueOf(target)
	if pointer.Kind() != reflect.Pointer || pointer.IsNil() {
		return rooted("", faults.Unsupported("target is not a non-nil pointer: pass `&value`"))
	}
	v := pointer.Elem()
	v.SetZero()
	d := newDecoder(ctx, r, s)
	defer d.release()
	if err := d.outermost(s, v); err != nil {
		v.SetZero()
		return err
	}
	return nil
}

// UnmarshalAny opens an envelope of any registered or built-in type, unless that is StaticOnly, and returns a value of
// just that type: nil for the type any and null. Errors are those of [Registry.Unmarshal].
func (r *Registry) UnmarshalAny(ctx context.Context, s string) (any, error) {
	var value any
	err := r.Unmarshal(ctx, s, &value)
	return value, err
}

// outermost reads the whole text s into v.
func (d *decoder) outermost(s string, v reflect.Value) error {
	if err := d.checkInput(s); err != nil {
		return rooted("", err)
	}
	label, err := d.open(v)
	if err == nil {
		err = d.close()
	}
	return rooted(label, err)
}

// checkInput refuses texts that are too long, and all texts if the registry has an error.
func (d *decoder) checkInput(s string) error {
	if err := d.catalog.err(); err != nil {
		return err
	}
	return d.settings.limits.checkSize(len(s))
}

// open reads the header and the data, and returns what the type is called in errors.
func (d *decoder) open(v reflect.Value) (label string, err error) {
	if info, err := d.catalog.typeInfo(v.Type()); err == nil && d.takeHeaderOf(info) {
		return info.expression, info.plan.decode(d, v)
	}
	h, err := readHeader(&d.in)
	if err != nil {
		return "", err
	}
	x, err := parseExpression(h.expression, &d.settings.limits)
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

// close takes the end of the outermost envelope, after which nothing may follow.
func (d *decoder) close() error {
	if err := closeEnvelope(&d.in); err != nil {
		return err
	}
	return checkEnd(&d.in)
}

// takeHeaderOf takes the header if it is the very text that Marshal writes for the type, or for a pointer to it that is
// not nil, and reports whether it is. Most headers are, and need not be read key by key.
func (d *decoder) takeHeaderOf(info *typeInfo) bool {
	if !info.readsPlain {
		return false
	}
	if d.in.TakePrefix(info.header) {
		return true
	}
	if info.goType.Kind() == reflect.Interface || !d.in.HasPrefix(info.pointerHeader) {
		return false
	}
	start := d.in.Mark()
	d.in.TakePrefix(info.pointerHeader)
	if d.in.Null() {
		d.in.Rewind(start)
		return false
	}
	return true
}

// openPayload checks by its header that the envelope may be read into the target type, and undoes what was done to its
// payload.
func (d *decoder) openPayload(h *header, x *expression, target reflect.Type) error {
	applied, err := d.admit(h, x, target)
	if err != nil || h.isPlain() {
		return err
	}
	if err := d.checkTarget(x, target); err != nil {
		return err
	}
	return d.undo(h, x, applied)
}

// undo has the data follow the header as if nothing had been done to the payload.
func (d *decoder) undo(h *header, x *expression, applied []Encoding) error {
	if h.isPlain() {
		return nil
	}
	text, err := d.readPayload(h, applied)
	if err != nil {
		return err
	}
	d.in.Reset(text)
	if h.codec == jsonCodec && text == nullPayload {
		h.codec = x.codecIn(d.catalog.types)
	}
	return nil
}

// dynamicInto reads data of the type that the envelope names into an interface. A nil interface is sent as nil of the
// empty one, whichever it was.
func (d *decoder) dynamicInto(h header, v reflect.Value) error {
	if h.expression == anyName && d.in.Null() {
		return nil
	}
	info, err := d.chosen(h.expression, v.Type())
	if err != nil {
		return err
	}
	value, err := d.dynamic(&h, info)
	if err != nil || value == nil {
		return err
	}
	v.Set(reflect.ValueOf(value))
	return nil
}

// static reads data into a value whose type decides, if the envelope's type fits it.
func (d *decoder) static(h header, x *expression, v reflect.Value) error {
	t, match := v.Type(), matcher{d.catalog.types}
	switch {
	case match.fits(x, t):
		return d.data(h, v)
	case x.kind == pointerTo && match.fits(x.element, t):
		return d.dataBehindPointer(h, v)
	case t.Kind() == reflect.Pointer && match.fits(x, t.Elem()):
		element, err := d.newValue(t.Elem())
		if err != nil {
			return err
		}
		v.Set(element.Addr())
		return d.data(h, element)
	case x.name == anyName && d.in.Null():
		return checkNilable(t)
	}
	return cures{d.catalog.types}.misfit(x, t)
}

// checkNilable lets a nil of type any into every type that can be nil: its sender could not know which type is wanted.
func checkNilable(t reflect.Type) error {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return nil
	}
	return nilDoesNotFit("nil", t)
}

// data reads the data of an envelope whose type fits v.
func (d *decoder) data(h header, v reflect.Value) error {
	read, err := d.catalog.planAt(v.Type(), h)
	if err != nil {
		return err
	}
	return read.decode(d, v)
}

// dataBehindPointer reads the data of an envelope whose type is a pointer to one that fits v.
func (d *decoder) dataBehindPointer(h header, v reflect.Value) error {
	if d.in.Null() {
		return nilDoesNotFit("null", v.Type())
	}
	return d.data(h, v)
}
