package envelope

import (
	"encoding/json"
	"reflect"
)

// rawPlan writes json.RawMessage as it is, and null for nil.
type rawPlan struct{}

func (rawPlan) encode(e *encoder, v reflect.Value) error {
	message := *v.Addr().Interface().(*json.RawMessage)
	if message == nil {
		e.null()
		return nil
	}
	written, err := e.checkedRaw(string(message))
	if err != nil {
		return err
	}
	if written == "null" {
		return unsupported("JSON null would arrive as a nil json.RawMessage")
	}
	if written != string(message) {
		return unsupported("white space around the JSON would be lost")
	}
	e.buf = append(e.buf, message...)
	return nil
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

func (numberPlan) encode(e *encoder, v reflect.Value) error {
	literal := v.String()
	if literal == "" {
		e.null()
		return nil
	}
	if numberLength(literal) != len(literal) {
		return unsupported("json.Number is not a JSON number")
	}
	e.buf = append(e.buf, literal...)
	return nil
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
