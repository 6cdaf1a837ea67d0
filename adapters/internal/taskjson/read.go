package taskjson

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"time"
	"unicode/utf8"
)

// A reader reads JSON as json.Marshal writes it: without white space, all members of a struct, in their order. It fails
// at anything else, and at what is no JSON: encoding/json is to read that.
type reader struct {
	text    []byte
	at      int
	scratch []byte
	failed  bool
}

func (r *reader) fail() { r.failed, r.at = true, len(r.text) }

// ended reports whether all was read.
func (r *reader) ended() bool { return !r.failed && r.at == len(r.text) }

// peek returns the next byte; 0 at the end, which no value begins with.
func (r *reader) peek() byte {
	if r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

// take goes past a text, and reports whether it stands here.
func (r *reader) take(text string) bool {
	if len(r.text)-r.at < len(text) || string(r.text[r.at:r.at+len(text)]) != text {
		return false
	}
	r.at += len(text)
	return true
}

func (r *reader) expect(text string) {
	if !r.take(text) {
		r.fail()
	}
}

// elements goes through an array. Each element must be read before the next.
func (r *reader) elements() iter.Seq[int] {
	return func(yield func(int) bool) {
		r.expect("[")
		for i := 0; !r.failed && !r.take("]"); i++ {
			if i > 0 {
				r.expect(",")
			}
			if r.failed || !yield(i) {
				return
			}
		}
	}
}

func (r *reader) string() string { return string(r.quoted()) }

// quoted returns the text of a string, until the next one is read.
func (r *reader) quoted() []byte {
	r.expect(`"`)
	run := r.run()
	if r.take(`"`) {
		return r.valid(run)
	}
	if r.scratch == nil {
		r.scratch = make([]byte, 0, len(r.text)-r.at+len(run)) // enough for the strings that follow too
	}
	r.scratch = append(r.scratch[:0], run...)
	for !r.failed && !r.take(`"`) {
		r.expect(`\`)
		r.scratch = r.appendUnescaped(r.scratch)
		r.scratch = append(r.scratch, r.run()...)
	}
	return r.valid(r.scratch)
}

// valid fails where encoding/json would replace bytes.
func (r *reader) valid(text []byte) []byte {
	if !utf8.Valid(text) {
		r.fail()
	}
	return text
}

// special are the bytes that do not stand for themselves in a string.
var special = func() (is [256]bool) {
	for c := range is {
		is[c] = c < ' ' || c == '"' || c == '\\'
	}
	return is
}()

// run takes the bytes up to the next special one.
func (r *reader) run() []byte {
	rest := r.text[r.at:]
	n := 0
	for n < len(rest) && !special[rest[n]] {
		n++
	}
	r.at += n
	return rest[:n]
}

// unescaped is what stands after a backslash, but for u.
var unescaped = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// appendUnescaped appends the character whose escape goes on after its backslash.
func (r *reader) appendUnescaped(text []byte) []byte {
	if r.take("u") {
		return utf8.AppendRune(text, r.codeUnit())
	}
	c := unescaped[r.peek()]
	if c == 0 {
		r.fail()
		return text
	}
	r.at++
	return append(text, c)
}

// codeUnit takes four hexadecimal digits. It fails at half of a surrogate pair.
func (r *reader) codeUnit() rune {
	const digits = 4
	if len(r.text)-r.at < digits {
		r.fail()
		return 0
	}
	n, err := strconv.ParseUint(string(r.text[r.at:r.at+digits]), 16, 16)
	if err != nil || !utf8.ValidRune(rune(n)) {
		r.fail()
		return 0
	}
	r.at += digits
	return rune(n)
}

func (r *reader) bool() bool {
	if r.take("true") {
		return true
	}
	if !r.take("false") {
		r.fail()
	}
	return false
}

// number takes a number and returns its text.
func (r *reader) number() []byte {
	begin := r.at
	for r.at < len(r.text) && isOfNumber(r.text[r.at]) {
		r.at++
	}
	text := r.text[begin:r.at]
	if !isInteger(text) && !json.Valid(text) {
		r.fail()
	}
	return text
}

func isOfNumber(c byte) bool {
	return '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

// isInteger reports whether a text is an integer, as nearly all numbers of a task are.
func isInteger(text []byte) bool {
	digits := bytes.TrimPrefix(text, []byte("-"))
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(digits) == 1 || len(digits) > 1 && digits[0] != '0'
}

func (r *reader) int64() int64 {
	n, err := strconv.ParseInt(string(r.number()), 10, 64)
	if err != nil {
		r.fail()
	}
	return n
}

func (r *reader) int() int {
	n, err := strconv.Atoi(string(r.number()))
	if err != nil {
		r.fail()
	}
	return n
}

func (r *reader) uint8() uint8 {
	n, err := strconv.ParseUint(string(r.number()), 10, 8)
	if err != nil {
		r.fail()
	}
	return uint8(n)
}

// time takes a string that is a time.
func (r *reader) time() (t time.Time) {
	begin := r.at
	r.quoted()
	if r.failed || t.UnmarshalJSON(r.text[begin:r.at]) != nil {
		r.fail()
	}
	return t
}

// value takes what Machinery's own arguments and results are: base values, and slices of those. It fails at an object.
func (r *reader) value() any {
	if r.peek() != '[' {
		return r.scalar()
	}
	values := []any{}
	for range r.elements() {
		values = append(values, r.scalar())
	}
	return values
}

func (r *reader) scalar() any {
	switch r.peek() {
	case '"':
		return r.string()
	case 't', 'f':
		return r.bool()
	case 'n':
		if !r.take("null") {
			r.fail()
		}
		return nil
	default:
		return json.Number(r.number())
	}
}
