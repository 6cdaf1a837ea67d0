package envelope

import (
	"encoding/base64"
	"reflect"
	"slices"
	"strings"
)

// strictBase64 is RFC 4648 §4 with padding, and with all unused bits zero.
var strictBase64 = base64.StdEncoding.Strict()

// isByte tells whether slices of t are strings of bytes: as in encoding/json, unless t has marshalers.
func isByte(t reflect.Type) bool {
	if t.Kind() != reflect.Uint8 {
		return false
	}
	own, err := marshalersOf(t)
	return own == noMarshalers && err == nil
}

// bytesPlan writes []byte as base64, and null for nil.
type bytesPlan struct{}

func (bytesPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return appendBytes(buf, *v.Addr().Interface().(*[]byte)), nil
}

func (bytesPlan) decode(d *decoder, v reflect.Value) error {
	if d.null() {
		return nil
	}
	data, err := d.bytes()
	*v.Addr().Interface().(*[]byte) = data
	return err
}

// namedBytesPlan is bytesPlan for other types of bytes.
type namedBytesPlan struct{}

func (namedBytesPlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	return appendBytes(buf, v.Bytes()), nil
}

func (namedBytesPlan) decode(d *decoder, v reflect.Value) error {
	if d.null() {
		return nil
	}
	data, err := d.bytes()
	v.SetBytes(data)
	return err
}

func appendBytes(buf, data []byte) []byte {
	if data == nil {
		return appendNull(buf)
	}
	buf = append(buf, '"')
	buf = strictBase64.AppendEncode(buf, data)
	return append(buf, '"')
}

// bytes reads a string of base64.
func (d *decoder) bytes() ([]byte, error) {
	encoded, err := d.base64Text()
	if err != nil {
		return nil, err
	}
	data, err := strictBase64.DecodeString(encoded)
	if err != nil {
		return nil, malformed("invalid base64")
	}
	return data, nil
}

// appendBytes reads a string of base64 into buf.
func (d *decoder) appendBytes(buf []byte) ([]byte, error) {
	encoded, err := d.base64Text()
	if err != nil {
		return nil, err
	}
	size := strictBase64.DecodedLen(len(encoded))
	buf = slices.Grow(buf, size)
	n, err := strictBase64.Decode(buf[len(buf):len(buf)+size], []byte(encoded))
	if err != nil {
		return nil, malformed("invalid base64")
	}
	return buf[:len(buf)+n], nil
}

// base64Text reads a string that should be base64. Without escapes it is not looked at byte by byte here: the
// base64 decoder does that, but for the line breaks that it would skip.
func (d *decoder) base64Text() (string, error) {
	if d.peek() != '"' {
		return "", d.unexpected("a string")
	}
	rest := d.in[d.pos+1:]
	end := strings.IndexByte(rest, '"')
	if end < 0 {
		return "", malformed("unexpected end")
	}
	encoded := rest[:end]
	if strings.IndexByte(encoded, '\\') >= 0 {
		s, _, err := d.text()
		if err == nil && strings.ContainsAny(s, "\r\n") {
			err = malformed("invalid base64")
		}
		return s, err
	}
	if strings.IndexByte(encoded, '\n') >= 0 || strings.IndexByte(encoded, '\r') >= 0 {
		return "", malformed("control character in a string")
	}
	d.pos += end + 2
	return encoded, nil
}
