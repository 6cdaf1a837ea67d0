package native

import (
	"fmt"
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// Assign converts a native value to t without losing anything: between kinds of integers and kinds of floats, to named
// types, into pointers and into interfaces. It returns envelope.ErrTypeMismatch where that is not possible.
func Assign(v reflect.Value, t reflect.Type) (reflect.Value, error) {
	switch {
	case v.Type() == t:
		return v, nil
	case t.Kind() == reflect.Interface && v.Type().Implements(t):
		return v.Convert(t), nil
	case t.Kind() == reflect.Pointer:
		return assignPointer(v, t)
	case v.Kind() == reflect.Slice && t.Kind() == reflect.Slice:
		return assignSlice(v, t)
	case IsBase(t.Kind()):
		return assignBase(v, t)
	default:
		return reflect.Value{}, mismatch(v, t)
	}
}

func assignPointer(v reflect.Value, t reflect.Type) (reflect.Value, error) {
	element, err := Assign(v, t.Elem())
	if err != nil {
		return reflect.Value{}, err
	}
	pointer := reflect.New(t.Elem())
	pointer.Elem().Set(element)
	return pointer.Convert(t), nil
}

func assignSlice(v reflect.Value, t reflect.Type) (reflect.Value, error) {
	if v.Type().ConvertibleTo(t) {
		return v.Convert(t), nil
	}
	slice := reflect.MakeSlice(t, v.Len(), v.Len())
	for i := range v.Len() {
		element, err := Assign(v.Index(i), t.Elem())
		if err != nil {
			return reflect.Value{}, fmt.Errorf("[%d]: %w", i, err)
		}
		slice.Index(i).Set(element)
	}
	return slice, nil
}

func assignBase(v reflect.Value, t reflect.Type) (reflect.Value, error) {
	from, to := v.Kind(), t.Kind()
	if from == to {
		return v.Convert(t), nil
	}
	if !isNumber(from) || !isNumber(to) || isInteger(from) != isInteger(to) {
		return reflect.Value{}, mismatch(v, t)
	}
	converted := v.Convert(t)
	if overflows(v, converted) {
		return reflect.Value{}, fmt.Errorf("%w: %s overflows %s: declare it as %s", envelope.ErrTypeMismatch, v.Type(), t, v.Type())
	}
	return converted, nil
}

// overflows reports whether converting a number between kinds of integers or kinds of floats has changed it.
func overflows(v, converted reflect.Value) bool {
	if isSigned(v.Kind()) && isUnsigned(converted.Kind()) && v.Int() < 0 {
		return true
	}
	if isUnsigned(v.Kind()) && isSigned(converted.Kind()) && converted.Int() < 0 {
		return true
	}
	return !converted.Convert(v.Type()).Equal(v)
}

// mismatch says how to send what is wanted.
func mismatch(v reflect.Value, t reflect.Type) error {
	if isNumber(v.Kind()) && isNumber(t.Kind()) {
		return fmt.Errorf("%w: got %s: send `%s(value)`", envelope.ErrTypeMismatch, v.Type(), t)
	}
	return fmt.Errorf("%w: got %s: send a value of type %s", envelope.ErrTypeMismatch, v.Type(), t)
}
