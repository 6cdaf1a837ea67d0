package envelope

import (
	"encoding"
	"encoding/json"
	"reflect"
)

// marshalerFault keeps the error of a type's own method for errors.Is, but does not show it: such errors tend
// to quote the value.
func marshalerFault(t reflect.Type, method string, err error) error {
	return &fault{kind: ErrUnsupported, text: method + " of " + t.String() + " failed", cause: err}
}

func unmarshalerFault(t reflect.Type, method string, err error) error {
	return &fault{kind: ErrTypeMismatch, text: method + " of " + t.String() + " failed", cause: err}
}

// textPlan is for types with MarshalText and UnmarshalText.
type textPlan struct{}

func (textPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	text, err := v.Addr().Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return buf, marshalerFault(v.Type(), "MarshalText", err)
	}
	return appendText(buf, string(text))
}

func (textPlan) decode(d *decoder, v reflect.Value) error {
	text, _, err := d.text()
	if err != nil {
		return err
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		return unmarshalerFault(v.Type(), "UnmarshalText", err)
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
	return appendText(buf, string(text))
}

// checkedText returns the text of a value, if that reads back as the same.
func checkedText[T comparable](value *T) ([]byte, error) {
	text, err := any(value).(encoding.TextMarshaler).MarshalText()
	var back T
	if err == nil {
		err = any(&back).(encoding.TextUnmarshaler).UnmarshalText(text)
	}
	if err != nil || back != *value {
		return nil, faultf(ErrUnsupported, "invalid %T has no text that reads back as itself", back)
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
	return appendCompact(buf, value), nil
}

// appendCompact writes well-formed JSON without the white space between its tokens.
func appendCompact(buf []byte, value string) []byte {
	inString := false
	for i := 0; i < len(value); i++ {
		c := value[i]
		if !inString && isSpace(c) {
			continue
		}
		buf = append(buf, c)
		switch {
		case c == '"':
			inString = !inString
		case c == '\\':
			i++
			buf = append(buf, value[i])
		}
	}
	return buf
}

func (jsonPlan) decode(d *decoder, v reflect.Value) error {
	value, err := d.raw()
	if err != nil {
		return err
	}
	if err := v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON([]byte(value)); err != nil {
		return unmarshalerFault(v.Type(), "UnmarshalJSON", err)
	}
	return nil
}
