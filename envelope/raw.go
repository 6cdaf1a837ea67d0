package envelope

import (
	"encoding/json"
	"reflect"
)

// rawPlan writes json.RawMessage as it is, and null for nil.
type rawPlan struct{}

func (rawPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	message := *v.Addr().Interface().(*json.RawMessage)
	if message == nil {
		return appendNull(buf), nil
	}
	value, err := e.checkedRaw(string(message))
	if err != nil {
		return buf, err
	}
	if value == "null" {
		return buf, unsupported("JSON null would arrive as a nil json.RawMessage")
	}
	if len(value) != len(message) {
		return buf, unsupported("white space around the JSON would be lost")
	}
	return append(buf, message...), nil
}

// checkedRaw makes sure that text is one well-formed JSON value, and returns it without the white space around.
func (e *encoder) checkedRaw(text string) (string, error) {
	d := decoder{in: text, settings: e.settings, depth: e.depth}
	value, err := d.raw()
	if err == nil {
		err = d.end()
	}
	if err != nil {
		return "", &fault{kind: ErrUnsupported, text: "not well-formed JSON: " + err.Error(), cause: err}
	}
	return value, nil
}

func (rawPlan) decode(d *decoder, v reflect.Value) error {
	if d.null() {
		return nil
	}
	value, err := d.raw()
	if err != nil {
		return err
	}
	*v.Addr().Interface().(*json.RawMessage) = json.RawMessage(value)
	return nil
}

// numberPlan writes json.Number as the number that it spells, and null for an empty one: encoding/json reads
// that as empty too.
type numberPlan struct{}

func (numberPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	literal := v.String()
	if literal == "" {
		return appendNull(buf), nil
	}
	if numberLength(literal) != len(literal) {
		return buf, unsupported("json.Number is not a JSON number")
	}
	return append(buf, literal...), nil
}

func (numberPlan) decode(d *decoder, v reflect.Value) error {
	if d.null() {
		return nil
	}
	literal, err := d.number()
	if err != nil {
		return err
	}
	v.SetString(string([]byte(literal)))
	return nil
}
