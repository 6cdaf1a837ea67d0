package envelope

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// AsJSON lets values of the type being registered travel as encoding/json writes and reads them, with all that they
// hold: for types of others that are made for encoding/json, such as those that have UnmarshalJSON but not MarshalJSON.
// It is [Convert] to json.RawMessage. How exact such values arrive is up to encoding/json, which leaves out unexported
// fields, and replaces invalid UTF-8: add [Verified] to have that refused. What cannot be read back is refused anyway.
//
// Register returns ErrRegistration together with Convert.
func AsJSON() TypeOption {
	return func(r *registration) error {
		if r.converter != nil {
			return faults.Newf(ErrRegistration, "AsJSON is a Convert, which is given already")
		}
		r.converter = &converter{goType: r.goType, wireType: reflect.TypeFor[json.RawMessage](), to: toJSON, from: fromJSON}
		r.readsBack = true
		return nil
	}
}

func toJSON(_ context.Context, v reflect.Value) (reflect.Value, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v.Addr().Interface()); err != nil {
		return reflect.Value{}, marshalerFault(v.Type(), "encoding/json's Marshal", err)
	}
	message := json.RawMessage(text.Bytes())
	return reflect.ValueOf(&message).Elem(), nil
}

func fromJSON(_ context.Context, wireValue, v reflect.Value) error {
	message := *wireValue.Addr().Interface().(*json.RawMessage)
	if message == nil {
		message = json.RawMessage("null")
	}
	if err := json.Unmarshal(message, v.Addr().Interface()); err != nil {
		return unmarshalerFault(v.Type(), "encoding/json's Unmarshal", string(message), err)
	}
	return nil
}
