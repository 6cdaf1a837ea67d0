package envelope

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// Strings up to this length are cut from chunks.
	shortText = 64
	chunkSize = 512
)

// ownText reads a string into memory that does not keep the whole input alive.
func (d *decoder) ownText() (string, error) {
	s, shared, err := d.text()
	if shared {
		s = d.own(s)
	}
	return s, err
}

// own copies a string. Short ones share a chunk of memory, as an allocation for each would take longer than
// reading them.
func (d *decoder) own(s string) string {
	if len(s) > shortText {
		return strings.Clone(s)
	}
	if d.chunk.Cap()-d.chunk.Len() < len(s) {
		d.chunk = strings.Builder{}
		d.chunk.Grow(max(len(s), min(chunkSize, len(d.in)-d.pos)))
	}
	start := d.chunk.Len()
	d.chunk.WriteString(s)
	return d.chunk.String()[start:]
}

// text reads a string, and tells whether it shares memory with the input.
func (d *decoder) text() (s string, shared bool, err error) {
	if d.peek() != '"' {
		return "", false, d.unexpected("a string")
	}
	in, start := d.in, d.pos+1
	ascii := true
	for i := start; i < len(in); i++ {
		c := in[i]
		switch {
		case plainBytes[c]:
		case c == '"':
			d.pos = i + 1
			if !ascii && !utf8.ValidString(in[start:i]) {
				return "", false, malformed("invalid UTF-8")
			}
			return in[start:i], true, nil
		case c == '\\':
			s, err := d.escapedText(start, i)
			return s, false, err
		case c >= utf8.RuneSelf:
			ascii = false
		default:
			return "", false, malformed("control character in a string")
		}
	}
	return "", false, malformed("unexpected end")
}

// escapedText reads a string that began at start and has its first escape at the given position.
func (d *decoder) escapedText(start, escape int) (string, error) {
	in := d.in
	buf := make([]byte, 0, 2*(escape-start)+16)
	for i := escape; i < len(in); {
		switch c := in[i]; {
		case c == '"':
			d.pos = i + 1
			buf = append(buf, in[start:i]...)
			if !utf8.Valid(buf) {
				return "", malformed("invalid UTF-8")
			}
			return string(buf), nil
		case c == '\\':
			buf = append(buf, in[start:i]...)
			r, size := unescape(in[i:])
			if size == 0 {
				return "", malformed("invalid escape in a string")
			}
			buf = utf8.AppendRune(buf, r)
			i += size
			start = i
		case c < ' ':
			return "", malformed("control character in a string")
		default:
			i++
		}
	}
	return "", malformed("unexpected end")
}

// unescape reads the escape sequence that s begins with; its size is 0 if there is none. Halves of surrogate
// pairs are no characters, so they are refused.
func unescape(s string) (r rune, size int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch c := s[1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return unescapeUnicode(s)
	}
	return 0, 0
}

func unescapeUnicode(s string) (r rune, size int) {
	r, ok := codeUnit(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	low, ok := codeUnit(s[6:])
	if !ok {
		return 0, 0
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

// codeUnit reads \uXXXX.
func codeUnit(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(unit), err == nil
}
