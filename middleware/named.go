package middleware

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware/internal/native"
)

// inTheClear makes the envelopes that native values stand for.
var inTheClear = envelope.NewRegistry()

// An opener makes a value of a registered type of one of base types.
type opener func(base reflect.Value, t reflect.Type) (reflect.Value, error)

// opener returns an opener for which a value is what an envelope of it, written by the given registry, would be. So the
// registry of u decides: it knows whether the type has to be encrypted, and how it was written in earlier versions.
func (u *unpacker) opener(ctx context.Context, writer *envelope.Registry) opener {
	return func(base reflect.Value, t reflect.Type) (reflect.Value, error) {
		text, err := writer.Marshal(ctx, base.Interface())
		if err != nil {
			return reflect.Value{}, err
		}
		target := reflect.New(t)
		err = u.registry.Unmarshal(ctx, text, target.Interface())
		return target.Elem(), err
	}
}

// assign makes a value of type t of a native one, with the opener if t is registered.
func (u *unpacker) assign(v reflect.Value, t reflect.Type, open opener) (reflect.Value, error) {
	erased := native.Erased(t)
	if erased == nil || !u.isRegistered(t) {
		return native.Assign(v, t)
	}
	base, err := native.Assign(v, erased)
	if err != nil {
		return reflect.Value{}, err
	}
	value, err := open(base, t)
	return value, sendNamed(err, v.Type().String(), t)
}

// sendNamed says how a value is sent as one of a registered type that has to be encrypted, where err is that it came as
// one of a base type.
func sendNamed(err error, got string, t reflect.Type) error {
	if !errors.Is(err, envelope.ErrUnencrypted) {
		return err
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return fmt.Errorf("%w: got %s: send `%s(value)`", envelope.ErrUnencrypted, got, t)
}

// openConverted makes a value of type t of an envelope of another type that is native, but for its name: as of a value
// that Machinery carried, between kinds of integers and so on. err is why the envelope does not fit t.
func (u *unpacker) openConverted(ctx context.Context, text string, t reflect.Type, err error) (reflect.Value, error) {
	header, parseErr := envelope.Parse(text)
	if parseErr == nil && len(header.Encoding) == 0 && u.isPredeclared(header.Type) && u.isRegistered(t) {
		err = sendNamed(err, header.Type, t)
	}
	if parseErr != nil || !errors.Is(err, envelope.ErrTypeMismatch) || !u.isOfBase(header.Type) {
		return reflect.Value{}, err
	}
	value, openErr := u.registry.UnmarshalAny(ctx, text)
	if openErr != nil {
		return reflect.Value{}, openErr
	}
	return u.convert(reflect.ValueOf(value), t, err, u.opener(ctx, u.registry))
}

// convert makes a value of type t of one that came in an envelope of its own type. One type with a name is not made of
// another: err is why.
func (u *unpacker) convert(v reflect.Value, t reflect.Type, err error, open opener) (reflect.Value, error) {
	if native.Type(v.Type().String()) == v.Type() {
		return u.assign(v, t, open)
	}
	if u.isRegistered(t) {
		return reflect.Value{}, err
	}
	return native.Assign(v, t)
}
