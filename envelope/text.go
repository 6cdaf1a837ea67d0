package envelope

import (
	"encoding"
	"encoding/json"
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// marshalerFault keeps the error of a type's own method for errors.Is, but does not show it: such errors tend to quote
// the value.
func marshalerFault(t reflect.Type, method string, err error) error {
	return &faults.Fault{Kind: ErrUnsupported, Text: method + " of " + goName(t) + " failed", Cause: err}
}

// unmarshalerFault shows the error where it quotes nothing of the input.
func unmarshalerFault(t reflect.Type, method, input string, err error) error {
	text := method + " of " + goName(t) + " failed"
	if shown := shownCause(err, input); shown != "" {
		text += ": " + shown
	}
	return &faults.Fault{Kind: ErrTypeMismatch, Text: text, Cause: err}
}

// chargeUnmarshaler charges for the text that an unmarshaler is given, and a little for what it may make of it.
func (d *decoder) chargeUnmarshaler(text string) error {
	return d.in.Charge(perUnmarshalerByte * int64(len(text)))
}

// textPlan is for types with MarshalText and UnmarshalText.
type textPlan struct{}

func (textPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	text, err := v.Addr().Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return buf, marshalerFault(v.Type(), "MarshalText", err)
	}
	return jsontext.AppendText(buf, string(text))
}

func (textPlan) decode(d *decoder, v reflect.Value) error {
	text, _, err := d.in.Text()
	if err != nil {
		return err
	}
	if err := d.chargeUnmarshaler(text); err != nil {
		return err
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		return unmarshalerFault(v.Type(), "UnmarshalText", text, err)
	}
	return nil
}

// checkedTextPlan is textPlan for comparable types whose text does not carry every value.
type checkedTextPlan[T comparable] struct{ textPlan }

func (checkedTextPlan[T]) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	text, err := checkedText(v.Addr().Interface().(*T))
	if err != nil {
		return buf, err
	}
	return jsontext.AppendText(buf, string(text))
}

// checkedText returns the text of a value, if that reads back as the same.
func checkedText[T comparable](value *T) ([]byte, error) {
	text, err := any(value).(encoding.TextMarshaler).MarshalText()
	var back T
	if err == nil {
		err = any(&back).(encoding.TextUnmarshaler).UnmarshalText(text)
	}
	if err != nil || back != *value {
		return nil, faults.Newf(ErrUnsupported, "invalid %T has no text that reads back as itself: see `%T.IsValid()`", back, back)
	}
	return text, nil
}

// jsonPlan is for types with MarshalJSON and UnmarshalJSON.
type jsonPlan struct{}

func (jsonPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	data, err := v.Addr().Interface().(json.Marshaler).MarshalJSON()
	if err != nil {
		return buf, marshalerFault(v.Type(), "MarshalJSON", err)
	}
	value, err := e.checkedRaw(string(data))
	if err != nil {
		return buf, within(".MarshalJSON()", err)
	}
	return jsontext.AppendCompact(buf, value), nil
}

func (jsonPlan) decode(d *decoder, v reflect.Value) error {
	value, err := d.in.Raw()
	if err != nil {
		return err
	}
	if err := d.chargeUnmarshaler(value); err != nil {
		return err
	}
	if err := v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON([]byte(value)); err != nil {
		return unmarshalerFault(v.Type(), "UnmarshalJSON", value, err)
	}
	return nil
}
