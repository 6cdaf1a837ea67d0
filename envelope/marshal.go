package envelope

import (
	"context"
	"reflect"
)

// Marshal puts a value in an envelope. Its type, or what it points to or has as its elements, has to be registered or
// built in; what its static parts are made of need not be. A nil v is carried too, as type any.
//
// The context reaches the functions given to [Convert] and the [Store]. Errors are of type *[Error] with the path to
// what could not be carried: ErrUnregistered, ErrUnsupported (see the package's rules), ErrLimit, ErrUnencrypted, or an
// error from a converter or the store.
func (r *Registry) Marshal(ctx context.Context, v any) (string, error) {
	e := newEncoder(ctx, r)
	buf := e.buf
	defer func() { e.release(buf) }()
	value := reflect.ValueOf(v)
	if v == nil {
		value = reflect.ValueOf(&v).Elem()
	}
	info, err := e.catalog.typeInfo(value.Type())
	if err != nil {
		return "", rooted("", err)
	}
	if buf, err = e.envelope(buf, info, value); err != nil {
		return "", rooted(info.expression, err)
	}
	if err := r.settings.limits.checkSize(len(buf)); err != nil {
		return "", rooted(info.expression, err)
	}
	if !e.hasPayloadWork(info, len(buf)) {
		return string(buf), nil
	}
	text, err := e.writePayload(info, buf)
	return text, rooted(info.expression, err)
}
