package envelope

import (
	"encoding"
	"net/netip"
	"reflect"
	"strconv"
	"time"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// A keyPlan turns map keys of one type into text and back. Its values are addressable.
type keyPlan interface {
	text(e *encoder, key reflect.Value) (string, error)
	parse(d *decoder, text string, key reflect.Value) error
}

// keyPlanFor finds the plan for map keys of type t, if text can carry them.
func (s *typeSet) keyPlanFor(t reflect.Type) (keyPlan, error) {
	if library, ok := libraryKeys[t]; ok {
		return library, nil
	}
	if registered, ok := s.byType[t]; ok && registered.isWhole() {
		return s.registeredKey(registered)
	}
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		return nil, cures{s}.keysCannotTravel(t)
	}
	writes, reads := marshalText.isOf(t), unmarshalText.isOf(t)
	if writes && reads && unmarshalText.isBehindPointer(t) {
		return nil, cures{s}.keysCannotTravel(t)
	}
	if writes && reads {
		return textKey{}, nil
	}
	if writes || reads {
		return nil, faults.Newf(ErrUnsupported, "map keys of type %s have text marshalers one way only: call %s, to and from string",
			goName(t), cures{s}.registerCall(t, convertOption))
	}
	if basic, ok := basicKeys[t.Kind()]; ok {
		return basic, nil
	}
	return nil, cures{s}.keysCannotTravel(t)
}

func (s *typeSet) registeredKey(r *registration) (keyPlan, error) {
	if r.codec != nil || s.isEndless(r.goType) {
		return nil, cures{s}.keysCannotTravel(r.goType)
	}
	inner, err := s.keyPlanFor(r.converter.wireType)
	if err != nil {
		return nil, err
	}
	return convertedKey{converter: r.converter, inner: inner}, nil
}

var libraryKeys = map[reflect.Type]keyPlan{
	reflect.TypeFor[time.Time]():      timeKey{},
	reflect.TypeFor[netip.Addr]():     checkedTextKey[netip.Addr]{},
	reflect.TypeFor[netip.AddrPort](): checkedTextKey[netip.AddrPort]{},
	reflect.TypeFor[netip.Prefix]():   checkedTextKey[netip.Prefix]{},
}

var basicKeys = map[reflect.Kind]keyPlan{
	reflect.String:  stringKey{},
	reflect.Bool:    boolKey{},
	reflect.Int:     intKey{},
	reflect.Int8:    intKey{},
	reflect.Int16:   intKey{},
	reflect.Int32:   intKey{},
	reflect.Int64:   intKey{},
	reflect.Uint:    uintKey{},
	reflect.Uint8:   uintKey{},
	reflect.Uint16:  uintKey{},
	reflect.Uint32:  uintKey{},
	reflect.Uint64:  uintKey{},
	reflect.Uintptr: uintKey{},
}

type (
	stringKey struct{}
	boolKey   struct{}
	intKey    struct{}
	uintKey   struct{}
	timeKey   struct{}
	textKey   struct{}
	// checkedTextKey is textKey for types whose text does not carry every value.
	checkedTextKey[T comparable] struct{ textKey }
	convertedKey                 struct {
		converter *converter
		inner     keyPlan
	}
)

func (stringKey) text(_ *encoder, key reflect.Value) (string, error) {
	return key.String(), nil
}

func (stringKey) parse(d *decoder, text string, key reflect.Value) error {
	text, err := d.in.Own(text)
	key.SetString(text)
	return err
}

func (boolKey) text(_ *encoder, key reflect.Value) (string, error) {
	return strconv.FormatBool(key.Bool()), nil
}

func (boolKey) parse(_ *decoder, text string, key reflect.Value) error {
	if text != "true" && text != "false" {
		return faults.Mismatch("map key is not a boolean")
	}
	key.SetBool(text == "true")
	return nil
}

func (intKey) text(_ *encoder, key reflect.Value) (string, error) {
	return strconv.FormatInt(key.Int(), 10), nil
}

func (intKey) parse(_ *decoder, text string, key reflect.Value) error {
	n, err := strconv.ParseInt(text, 10, key.Type().Bits())
	if err != nil {
		return faults.Newf(ErrTypeMismatch, "map key is not of type %s", key.Type())
	}
	key.SetInt(n)
	return nil
}

func (uintKey) text(_ *encoder, key reflect.Value) (string, error) {
	return strconv.FormatUint(key.Uint(), 10), nil
}

func (uintKey) parse(_ *decoder, text string, key reflect.Value) error {
	n, err := strconv.ParseUint(text, 10, key.Type().Bits())
	if err != nil {
		return faults.Newf(ErrTypeMismatch, "map key is not of type %s", key.Type())
	}
	key.SetUint(n)
	return nil
}

func (timeKey) text(_ *encoder, key reflect.Value) (string, error) {
	buf, err := appendTime(nil, key.Interface().(time.Time))
	return string(buf), err
}

func (timeKey) parse(d *decoder, text string, key reflect.Value) error {
	if err := d.in.Charge(boxMemory); err != nil {
		return err
	}
	t, err := parseTime(text)
	key.Set(reflect.ValueOf(t))
	return err
}

func (textKey) text(_ *encoder, key reflect.Value) (string, error) {
	text, err := key.Addr().Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return "", marshalerFault(key.Type(), "MarshalText", err)
	}
	return string(text), nil
}

func (textKey) parse(d *decoder, text string, key reflect.Value) error {
	if err := d.chargeUnmarshaler(text); err != nil {
		return err
	}
	if err := key.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		return unmarshalerFault(key.Type(), "UnmarshalText", text, err)
	}
	return nil
}

func (checkedTextKey[T]) text(_ *encoder, key reflect.Value) (string, error) {
	text, err := checkedText(key.Addr().Interface().(*T))
	return string(text), err
}

func (k convertedKey) text(e *encoder, key reflect.Value) (string, error) {
	wireKey, err := k.converter.to(e.ctx, key)
	if err != nil {
		return "", err
	}
	return k.inner.text(e, wireKey)
}

func (k convertedKey) parse(d *decoder, text string, key reflect.Value) error {
	wireKey, err := d.newValue(k.converter.wireType)
	if err != nil {
		return err
	}
	if err := k.inner.parse(d, text, wireKey); err != nil {
		return err
	}
	return k.converter.from(d.ctx, wireKey, key)
}
