package middleware

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware/internal/native"
)

// declaresItsType reports whether an argument names one of Machinery's own types and is Machinery's to send: its value
// is of that type, or holds nothing registered. Whether such a value fits is for the worker to find out, as ever.
func (p *packer) declaresItsType(arg tasks.Arg) bool {
	ofMachinery := native.IsOfItsType(arg) || native.NamesAnotherType(arg)
	return ofMachinery && !p.holdsRegistered(reflect.ValueOf(arg.Value), 0)
}

// writesEnvelope reports whether an argument that says it is a string, and is of another Go type, is written as a text
// that looks like an envelope.
func writesEnvelope(arg tasks.Arg) bool {
	if arg.Type != "string" {
		return false
	}
	switch arg.Value.(type) {
	case nil, string:
		return false
	case json.Marshaler, encoding.TextMarshaler:
		return marshalsToEnvelope(arg.Value)
	}
	switch v := reflect.ValueOf(arg.Value); v.Kind() {
	case reflect.String:
		return envelope.Is(v.String())
	case reflect.Pointer:
		return marshalsToEnvelope(arg.Value)
	default:
		return false
	}
}

func marshalsToEnvelope(v any) bool {
	data, err := json.Marshal(v)
	if err != nil || data[0] != '"' || data[1] != '{' && data[1] != '\\' {
		return false
	}
	var text string
	return json.Unmarshal(data, &text) == nil && envelope.Is(text)
}

// isPlainResult reports whether an argument of s, which cannot be put in an envelope, is a result that a task has
// returned and that Machinery has given to the callback. It travels as it would without the middleware: the task that
// gets it fails, and those who wait for that learn it.
func (p *signaturePacker) isPlainResult(s *tasks.Signature, arg tasks.Arg) bool {
	if !namesForeignType(arg) {
		return false
	}
	d := deliveries.publishing(s)
	return d != nil && d.signature != s && !p.values.holdsRegistered(reflect.ValueOf(arg.Value), 0)
}

// namesForeignType reports whether an argument names a type as Go names those of a package, such as main.Order.
func namesForeignType(arg tasks.Arg) bool {
	return strings.Contains(arg.Type, ".") && native.Type(arg.Type) == nil
}

// checkStruct returns an error for an argument that names a type of some package and holds what JSON is decoded to.
func checkStruct(arg tasks.Arg) error {
	switch arg.Value.(type) {
	case map[string]any, []any:
		if namesForeignType(arg) {
			return fmt.Errorf("%w: it names the type %s and holds %T: %s", envelope.ErrTypeMismatch, arg.Type, arg.Value, throughJSON)
		}
	}
	return nil
}

// throughJSON says what may have happened to a value, and how to prevent it.
const throughJSON = "a struct that goes through JSON before it is sent is a map; make the signature with Middleware.Signature, " +
	"which keeps it"
