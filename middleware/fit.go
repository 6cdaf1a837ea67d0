package middleware

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// checkArguments returns the error with which the worker would refuse a signature, made of the given values, of which
// arguments may be missing yet: those that Machinery adds when it publishes a callback. It appends the results of the
// task before, and puts the text of an error before the others.
func (t *task) checkArguments(ctx context.Context, s *tasks.Signature, values []any) error {
	err := t.checkPlaced(ctx, s, values)
	if err == nil {
		return nil
	}
	callback := *s
	callback.Args = slices.Concat([]tasks.Arg{{Type: "string", Value: ""}}, s.Args)
	if t.checkPlaced(ctx, &callback, slices.Concat([]any{""}, values)) == nil {
		return nil
	}
	return err
}

func (t *task) checkPlaced(ctx context.Context, s *tasks.Signature, values []any) error {
	order, err := t.place(s)
	if err != nil {
		return err
	}
	places := max(len(s.Args), len(order))
	if places > len(t.params) && !t.variadic() {
		return t.checkCount(places)
	}
	for i := range places {
		from := i
		if order != nil {
			from = order[i]
		}
		if from == missing {
			continue
		}
		param := t.params[min(i, len(t.params)-1)]
		if err := t.accepts(ctx, s.Args[from], values[from], param); err != nil {
			return t.argumentError(i, param, err)
		}
	}
	return nil
}

// A fit is a pair of types of which a parameter of the second takes arguments of the first.
type fit struct{ value, param reflect.Type }

// accepts returns the error that a parameter gets for a value, which travels as the argument. What the types alone do
// not decide, such as whether a number overflows, is tried with the value; the elements of slices are not looked at.
func (t *task) accepts(ctx context.Context, arg tasks.Arg, value any, param reflect.Type) error {
	u := t.m.unpacker
	if n, ok := value.(named); ok {
		value = n.value
	}
	if named := reflect.TypeOf(value); named != nil && named.PkgPath() != "" {
		value = t.m.values.unnamed(scopeAll, value)
	}
	types := fit{reflect.TypeOf(value), param}
	if types.value == param {
		return nil
	}
	if text, ok := value.(string); ok && (envelope.Is(text) || param == errorType) {
		return nil // see open and restoreError
	}
	v := reflect.ValueOf(value)
	packed := u.envelopeFor(param, arg) != ""
	if !packed && v.Kind() != reflect.Slice {
		_, err := u.restore(ctx, "", arg, param)
		return err
	}
	if v.Kind() == reflect.Pointer && v.IsNil() && param.Kind() != reflect.Interface && param.Kind() != reflect.Pointer {
		return u.registry.CheckFits(nil, param)
	}
	if _, ok := t.fits.Load(types); ok {
		return nil
	}
	err := u.checkFits(v, types, packed)
	if err == nil {
		t.fits.Store(types, nil)
		return nil
	}
	if !packed || !errors.Is(err, envelope.ErrTypeMismatch) || !u.isOfBase(u.typeName(types.value)) {
		return err
	}
	_, err = u.convert(sampleOf(v), param, err, u.checkOpens)
	return err
}

// checkFits returns the error that the types give.
func (u *unpacker) checkFits(v reflect.Value, types fit, packed bool) error {
	if packed {
		err := u.registry.CheckFits(types.value, types.param)
		if name := u.typeName(types.value); u.isPredeclared(name) && u.isRegistered(types.param) {
			return sendNamed(err, name, types.param)
		}
		return err
	}
	_, err := u.assign(sampleOf(v), types.param, u.checkOpens)
	return err
}

// checkOpens is an opener that makes no value, and returns only whether it could.
func (u *unpacker) checkOpens(base reflect.Value, t reflect.Type) (reflect.Value, error) {
	return reflect.Value{}, u.registry.CheckFits(base.Type(), t)
}

// sampleOf returns a slice of one element for a slice, and other values as they are.
func sampleOf(v reflect.Value) reflect.Value {
	if v.Kind() != reflect.Slice {
		return v
	}
	return reflect.MakeSlice(v.Type(), 1, 1)
}
