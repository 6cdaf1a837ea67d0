package envelope

import (
	"encoding/json"
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// rawPlan writes json.RawMessage as it is, without the white space around, which is no part of a JSON value. It writes
// null for nil and for JSON null, which both arrive as nil.
type rawPlan struct{}

func (rawPlan) encode(e *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	message := *v.Addr().Interface().(*json.RawMessage)
	if message == nil {
		return jsontext.AppendNull(buf), nil
	}
	value, err := e.checkedRaw(string(message))
	if err != nil {
		return buf, err
	}
	return append(buf, value...), nil
}

// checkedRaw returns text, which has to be one well-formed JSON value, without the white space around. It takes any
// memory: MaxMemory does not bound sending.
func (e *encoder) checkedRaw(text string) (string, error) {
	r := jsontext.NewReader(text, e.nesting, jsontext.Unbounded())
	value, err := r.Raw()
	if err == nil {
		err = checkEnd(&r)
	}
	if err != nil {
		return "", &faults.Fault{Kind: ErrUnsupported, Text: "not well-formed JSON, see `json.Valid`: " + err.Error(), Cause: err}
	}
	return value, nil
}

func (rawPlan) decode(d *decoder, v reflect.Value) error {
	if d.in.Null() {
		return nil
	}
	value, err := d.in.Raw()
	if err != nil {
		return err
	}
	if err := d.in.Charge(int64(len(value))); err != nil {
		return err
	}
	*v.Addr().Interface().(*json.RawMessage) = json.RawMessage(value)
	return nil
}

// numberPlan writes json.Number as the number that it spells, and null for an empty one: encoding/json reads that as
// empty too.
type numberPlan struct{}

func (numberPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	literal := v.String()
	if literal == "" {
		return jsontext.AppendNull(buf), nil
	}
	if jsontext.NumberLength(literal) != len(literal) {
		return buf, faults.Unsupported("json.Number is not a JSON number, see `json.Valid`")
	}
	return append(buf, literal...), nil
}

func (numberPlan) decode(d *decoder, v reflect.Value) error {
	if d.in.Null() {
		return nil
	}
	literal, err := d.in.Number()
	if err != nil {
		return err
	}
	literal, err = d.in.Own(literal)
	v.SetString(literal)
	return err
}
