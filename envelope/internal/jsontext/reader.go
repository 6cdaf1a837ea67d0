package jsontext

import (
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// A Reader reads JSON text from front to back. Its methods skip white space before what they read.
type Reader struct {
	Nesting
	Budget
	cursor
	// chunk is what short strings are cut from.
	chunk strings.Builder
}

// NewReader returns a Reader of the given text, which allocates what the budget allows.
func NewReader(in string, nesting Nesting, budget Budget) Reader {
	return Reader{cursor: cursor{in: in}, Nesting: nesting, Budget: budget}
}

// literal takes the word that follows if it is the given one, and reports whether it is.
func literal(r *Reader, word string) bool {
	if r.Peek() != word[0] || !strings.HasPrefix(r.in[r.pos:], word) {
		return false
	}
	r.pos += len(word)
	return true
}

// Null takes null if it follows, and reports whether it does.
func (r *Reader) Null() bool { return literal(r, "null") }

// Bool reads true or false.
func (r *Reader) Bool() (bool, error) {
	if literal(r, "true") {
		return true, nil
	}
	if literal(r, "false") {
		return false, nil
	}
	return false, r.Unexpected("a boolean")
}

// Unexpected returns an error that says what is wanted, such as "an array", and what stands in its place: ErrMalformed
// if that is not JSON, ErrTypeMismatch if it is.
func (r *Reader) Unexpected(want string) error {
	found := ""
	switch c := r.Peek(); {
	case c == 0 && r.pos >= len(r.in):
		return errEnd()
	case c == '{':
		found = "an object"
	case c == '[':
		found = "an array"
	case c == '"':
		found = "a string"
	case c == '-' || IsDigit(c):
		found = "a number"
	case r.HasPrefix("true"), r.HasPrefix("false"):
		found = "a boolean"
	case r.HasPrefix("null"):
		found = "null"
	default:
		return faults.Malformed("unexpected character")
	}
	return faults.Mismatch("expected " + want + ", found " + found)
}

func errEnd() error { return faults.Malformed("unexpected end") }

// OpenArray takes the bracket that begins an array. If the array is empty it takes the end as well and reports so.
func (r *Reader) OpenArray() (empty bool, err error) { return open(r, '[', ']', "an array") }

// OpenObject takes the brace that begins an object. If the object is empty it takes the end as well and reports so.
func (r *Reader) OpenObject() (empty bool, err error) { return open(r, '{', '}', "an object") }

func open(r *Reader, begin, end byte, want string) (empty bool, err error) {
	if !r.Take(begin) {
		return false, r.Unexpected(want)
	}
	if err := r.Enter(); err != nil {
		return false, err
	}
	if r.Take(end) {
		r.Leave()
		return true, nil
	}
	return false, nil
}

// More takes the comma after an element, and reports that there is another one; or it takes end, the bracket or brace
// that ends the array or object.
func (r *Reader) More(end byte) (bool, error) {
	switch r.Peek() {
	case ',':
		r.pos++
		return true, nil
	case end:
		r.pos++
		r.Leave()
		return false, nil
	case 0:
		return false, errEnd()
	}
	return false, faults.Malformed("expected a comma or the end of the " + containerName(end))
}

func containerName(end byte) string {
	if end == ']' {
		return "array"
	}
	return "object"
}

// Key reads the name of a member and the colon after it. What it returns may share memory with the text.
func (r *Reader) Key() (string, error) {
	if r.Peek() != '"' {
		return "", faults.Malformed("expected the name of a member")
	}
	name, _, err := r.Text()
	if err != nil {
		return "", err
	}
	if !r.Take(':') {
		return "", faults.Malformed("expected a colon")
	}
	return name, nil
}

// Inside reads one value from another text, by the given function, and goes on in its own. It returns ErrTypeMismatch
// if the value does not take up all of that text.
func (r *Reader) Inside(text string, read func() error) error {
	outer, pos := r.in, r.pos
	defer func() {
		r.reread += r.pos
		r.in, r.pos = outer, pos
	}()
	r.in, r.pos = text, 0
	if text == "" || IsSpace(text[0]) {
		return faults.Mismatch("expected a value in the string")
	}
	if err := read(); err != nil {
		return err
	}
	if r.pos != len(text) {
		return faults.Mismatch("expected one value in the string")
	}
	return nil
}
