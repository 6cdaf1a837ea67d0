package jsontext

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

func errControl() error { return faults.Malformed("control character in a string") }

const hexDigits = "0123456789abcdef"

// AppendText writes a string. It returns ErrUnsupported for strings that are not valid UTF-8, as JSON cannot carry
// them.
func AppendText(buf []byte, s string) ([]byte, error) {
	buf = append(buf, '"')
	start := 0
	for i := plainLength(s); i < len(s); i += plainLength(s[i:]) {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				return buf, faults.Unsupported("invalid UTF-8: see `strings.ToValidUTF8`, or send []byte")
			}
			i += size
			continue
		}
		buf = append(buf, s[start:i]...)
		buf = appendEscape(buf, c)
		i++
		start = i
	}
	buf = append(buf, s[start:]...)
	return append(buf, '"'), nil
}

func appendEscape(buf []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(buf, '\\', c)
	case '\n':
		return append(buf, `\n`...)
	case '\r':
		return append(buf, `\r`...)
	case '\t':
		return append(buf, `\t`...)
	case '\b':
		return append(buf, `\b`...)
	case '\f':
		return append(buf, `\f`...)
	}
	return append(buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

const (
	// Strings up to this length, in bytes, are cut from chunks.
	shortText = 64
	chunkSize = 512
)

// OwnText reads a string into memory of its own, so that it does not keep the whole text alive.
func (r *Reader) OwnText() (string, error) {
	s, shared, err := r.Text()
	if shared {
		return r.Own(s)
	}
	return s, err
}

// Own copies a string. Short ones share a chunk of memory, as an allocation for each would take longer than reading
// them. It returns ErrLimit if the copy does not fit the budget.
func (r *Reader) Own(s string) (string, error) {
	if len(s) > shortText {
		return r.clone(s)
	}
	if r.chunk.Cap()-r.chunk.Len() < len(s) {
		if err := r.newChunk(max(len(s), min(chunkSize, len(r.in)-r.pos))); err != nil {
			return "", err
		}
	}
	start := r.chunk.Len()
	r.chunk.WriteString(s)
	return r.chunk.String()[start:], nil
}

func (r *Reader) clone(s string) (string, error) {
	if err := r.Charge(int64(len(s))); err != nil {
		return "", err
	}
	return strings.Clone(s), nil
}

func (r *Reader) newChunk(size int) error {
	if err := r.Charge(int64(size)); err != nil {
		return err
	}
	r.chunk = strings.Builder{}
	r.chunk.Grow(size)
	return nil
}

// Text reads a string, and reports whether it shares memory with the Reader's text: it does unless it has escapes.
func (r *Reader) Text() (s string, shared bool, err error) {
	if r.Peek() != '"' {
		return "", false, r.Unexpected("a string")
	}
	in, start := r.in, r.pos+1
	ascii := true
	for i := start; i < len(in); i++ {
		i += plainLength(in[i:])
		switch {
		case i == len(in):
			return "", false, errEnd()
		case in[i] == '"':
			r.pos = i + 1
			if !ascii && !utf8.ValidString(in[start:i]) {
				return "", false, faults.Malformed("invalid UTF-8")
			}
			return in[start:i], true, nil
		case in[i] == '\\':
			s, err := escapedText(r, start, i)
			return s, false, err
		case in[i] < ' ':
			return "", false, errControl()
		}
		ascii = false
		for i+1 < len(in) && in[i+1] >= utf8.RuneSelf {
			i++
		}
	}
	return "", false, errEnd()
}

// escapedText reads a string that began at start and has its first escape at the given position.
func escapedText(r *Reader, start, escape int) (string, error) {
	in := r.in
	buf := make([]byte, 0, 2*(escape-start)+16)
	for i := escape; i < len(in); {
		switch c := in[i]; {
		case c == '"':
			r.pos = i + 1
			buf = append(buf, in[start:i]...)
			if !utf8.Valid(buf) {
				return "", faults.Malformed("invalid UTF-8")
			}
			return string(buf), r.Charge(int64(len(buf) + cap(buf)))
		case c == '\\':
			buf = append(buf, in[start:i]...)
			char, size := unescape(in[i:])
			if size == 0 {
				return "", faults.Malformed("invalid escape in a string")
			}
			buf = utf8.AppendRune(buf, char)
			i += size
			start = i
		case c < ' ':
			return "", errControl()
		default:
			i += max(plainLength(in[i:]), 1)
		}
	}
	return "", errEnd()
}

// unescape reads the escape sequence that s begins with; its size is 0 if there is none. Half of a surrogate pair is no
// character, and counts as none.
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
