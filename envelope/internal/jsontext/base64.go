package jsontext

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// Base64 is that of RFC 4648 §4 with padding, and with all unused bits zero.
var Base64 = base64.StdEncoding.Strict()

// AppendBytes writes data as a string of base64.
func AppendBytes(buf, data []byte) []byte {
	buf = append(buf, '"')
	buf = Base64.AppendEncode(buf, data)
	return append(buf, '"')
}

// Bytes reads a string of base64.
func (r *Reader) Bytes() ([]byte, error) {
	encoded, err := base64Text(r)
	if err != nil {
		return nil, err
	}
	if err := r.Charge(int64(Base64.DecodedLen(len(encoded)))); err != nil {
		return nil, err
	}
	data, err := Base64.DecodeString(encoded)
	if err != nil {
		return nil, errBase64()
	}
	return data, nil
}

// AppendBytes reads a string of base64 and appends its bytes to buf.
func (r *Reader) AppendBytes(buf []byte) ([]byte, error) {
	encoded, err := base64Text(r)
	if err != nil {
		return nil, err
	}
	size := Base64.DecodedLen(len(encoded))
	if err := r.Charge(int64(size)); err != nil {
		return nil, err
	}
	buf = slices.Grow(buf, size)
	n, err := Base64.Decode(buf[len(buf):len(buf)+size], []byte(encoded))
	if err != nil {
		return nil, errBase64()
	}
	return buf[:len(buf)+n], nil
}

func errBase64() error { return faults.Malformed("invalid base64") }

// base64Text reads a string that should be base64. It leaves the check of each byte to the base64 decoder, unless there
// are escapes, and refuses the line breaks that the decoder would skip.
func base64Text(r *Reader) (string, error) {
	if r.Peek() != '"' {
		return "", r.Unexpected("a string")
	}
	rest := r.in[r.pos+1:]
	end := strings.IndexByte(rest, '"')
	if end < 0 {
		return "", errEnd()
	}
	encoded := rest[:end]
	if strings.IndexByte(encoded, '\\') >= 0 {
		s, _, err := r.Text()
		if err == nil && strings.ContainsAny(s, "\r\n") {
			err = errBase64()
		}
		return s, err
	}
	if strings.IndexByte(encoded, '\n') >= 0 || strings.IndexByte(encoded, '\r') >= 0 {
		return "", errControl()
	}
	r.pos += end + 2
	return encoded, nil
}
