package envelope

import (
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// isByte reports whether slices of t are strings of bytes: as in encoding/json, unless t has a form of its own.
func isByte(types *typeSet, t reflect.Type) bool {
	return t.Kind() == reflect.Uint8 && types.isByKind(t)
}

// bytesPlan writes []byte as base64, and null for nil.
type bytesPlan struct{}

func (bytesPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return appendBytes(buf, *v.Addr().Interface().(*[]byte)), nil
}

func (bytesPlan) decode(d *decoder, v reflect.Value) error {
	if d.in.Null() {
		return nil
	}
	data, err := d.in.Bytes()
	*v.Addr().Interface().(*[]byte) = data
	return err
}

// namedBytesPlan is bytesPlan for other types of bytes.
type namedBytesPlan struct{}

func (namedBytesPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return appendBytes(buf, v.Bytes()), nil
}

func (namedBytesPlan) decode(d *decoder, v reflect.Value) error {
	if d.in.Null() {
		return nil
	}
	data, err := d.in.Bytes()
	v.SetBytes(data)
	return err
}

// appendBytes writes data as a string of base64, and null for nil.
func appendBytes(buf, data []byte) []byte {
	if data == nil {
		return jsontext.AppendNull(buf)
	}
	return jsontext.AppendBytes(buf, data)
}
