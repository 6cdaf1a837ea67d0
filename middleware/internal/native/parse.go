package native

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// Parse makes a Go value of the type that an argument names. Machinery has reflected the same argument already, but
// wraps numbers that overflow and takes long over slices. It returns envelope.ErrTypeMismatch for a value of another
// type.
func Parse(arg tasks.Arg) (reflect.Value, error) {
	t := types[arg.Type]
	if t == nil {
		return reflect.Value{}, fmt.Errorf("%w: got type %q: %s", envelope.ErrTypeMismatch, arg.Type, namesTypes)
	}
	target := reflect.New(t).Elem()
	if err := parseInto(target, arg.Value); err != nil {
		return reflect.Value{}, err
	}
	return target, nil
}

// namesTypes says how to send arguments whose types are right.
const namesTypes = "make the signature with Middleware.Signature, which names the types of the arguments"

// parseInto sets target from a value that encoding/json has decoded with UseNumber, or from a Go value as Machinery
// reflects it.
func parseInto(target reflect.Value, value any) error {
	switch value := value.(type) {
	case nil:
		return parseNull(target)
	case json.Number:
		return parseNumber(target, value)
	case []any:
		return parseElements(target, value)
	case string:
		if target.Kind() == reflect.Slice {
			return parseBytes(target, value)
		}
	}
	v := reflect.ValueOf(value)
	if v.Kind() == reflect.Slice && v.Type().ConvertibleTo(target.Type()) {
		target.Set(v.Convert(target.Type()))
		return nil
	}
	if !IsBase(v.Kind()) || !IsBase(target.Kind()) {
		return wrongKind(target, value)
	}
	converted, err := assignBase(v, target.Type())
	if err != nil {
		return wrongKind(target, value)
	}
	target.Set(converted)
	return nil
}

// parseNull restores a nil slice as the empty slice that Machinery makes of it.
func parseNull(target reflect.Value) error {
	if target.Kind() != reflect.Slice {
		return wrongKind(target, nil)
	}
	target.Set(reflect.MakeSlice(target.Type(), 0, 0))
	return nil
}

func parseElements(target reflect.Value, elements []any) error {
	if target.Kind() != reflect.Slice {
		return wrongKind(target, elements)
	}
	slice := reflect.MakeSlice(target.Type(), len(elements), len(elements))
	for i, element := range elements {
		if err := parseInto(slice.Index(i), element); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	target.Set(slice)
	return nil
}

func parseBytes(target reflect.Value, text string) error {
	if target.Type().Elem().Kind() != reflect.Uint8 {
		return wrongKind(target, text)
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("%w: invalid base64: %s", envelope.ErrTypeMismatch, namesTypes)
	}
	target.SetBytes(decoded)
	return nil
}

func parseNumber(target reflect.Value, n json.Number) error {
	kind, bits := target.Kind(), 0
	if isNumber(kind) {
		bits = target.Type().Bits()
	}
	var err error
	switch {
	case isSigned(kind):
		var i int64
		i, err = strconv.ParseInt(n.String(), 10, bits)
		target.SetInt(i)
	case isUnsigned(kind):
		var u uint64
		u, err = strconv.ParseUint(n.String(), 10, bits)
		target.SetUint(u)
	case isNumber(kind):
		var f float64
		f, err = strconv.ParseFloat(n.String(), bits)
		target.SetFloat(f)
	default:
		return wrongKind(target, n)
	}
	if err != nil {
		return fmt.Errorf("%w: number does not fit %s: %s", envelope.ErrTypeMismatch, target.Type(), namesTypes)
	}
	return nil
}

func wrongKind(target reflect.Value, value any) error {
	return fmt.Errorf("%w: got %s where the message says %s: %s", envelope.ErrTypeMismatch, kindOf(value), target.Type(), namesTypes)
}

// kindOf names what came, never its value.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case json.Number:
		return "a number"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	default:
		return fmt.Sprintf("a value of type %T", value)
	}
}
