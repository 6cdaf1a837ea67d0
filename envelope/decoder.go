package envelope

import (
	"context"
	"strings"
	"sync"
)

// A decoder is the state of one Unmarshal call: a reader of the JSON text from front to back.
type decoder struct {
	ctx      context.Context
	catalog  *catalog
	settings *settings
	in       string
	pos      int
	depth    int
	elements int
	// encrypted tells whether the envelope is.
	encrypted bool
	// chunk is what short strings are cut from.
	chunk strings.Builder
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

func newDecoder(ctx context.Context, r *Registry, in string) *decoder {
	d := decoders.Get().(*decoder)
	*d = decoder{ctx: ctx, catalog: r.catalog.Load(), settings: &r.settings, in: in}
	return d
}

func (d *decoder) release() {
	*d = decoder{}
	decoders.Put(d)
}

// peek skips white space and returns the byte that follows without taking it: 0 at the end.
func (d *decoder) peek() byte {
	for d.pos < len(d.in) {
		c := d.in[d.pos]
		if c > ' ' || !isSpace(c) {
			return c
		}
		d.pos++
	}
	return 0
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// take takes the byte that follows if it is c.
func (d *decoder) take(c byte) bool {
	if d.peek() != c {
		return false
	}
	d.pos++
	return true
}

// literal takes the word that follows if it is the given one.
func (d *decoder) literal(word string) bool {
	if d.peek() != word[0] || !strings.HasPrefix(d.in[d.pos:], word) {
		return false
	}
	d.pos += len(word)
	return true
}

func (d *decoder) null() bool { return d.literal("null") }

// bool reads true or false.
func (d *decoder) bool() (bool, error) {
	if d.literal("true") {
		return true, nil
	}
	if d.literal("false") {
		return false, nil
	}
	return false, d.unexpected("a boolean")
}

// unexpected says what stands where something else is wanted.
func (d *decoder) unexpected(want string) error {
	found := ""
	switch c := d.peek(); {
	case c == 0 && d.pos >= len(d.in):
		return malformed("unexpected end")
	case c == '{':
		found = "an object"
	case c == '[':
		found = "an array"
	case c == '"':
		found = "a string"
	case c == '-' || isDigit(c):
		found = "a number"
	case strings.HasPrefix(d.in[d.pos:], "true"), strings.HasPrefix(d.in[d.pos:], "false"):
		found = "a boolean"
	case strings.HasPrefix(d.in[d.pos:], "null"):
		found = "null"
	default:
		return malformed("unexpected character")
	}
	return mismatch("expected " + want + ", found " + found)
}

// enter goes one level deeper.
func (d *decoder) enter() error {
	d.depth++
	if d.depth > d.settings.maxDepth {
		return limited("MaxDepth", d.settings.maxDepth)
	}
	return nil
}

func (d *decoder) leave() { d.depth-- }

// count notes that one more element follows.
func (d *decoder) count() error {
	d.elements++
	if d.elements > d.settings.maxElements {
		return limited("MaxElements", d.settings.maxElements)
	}
	return nil
}

// open takes the bracket that begins an array or object, and tells whether it is empty, having taken its end.
func (d *decoder) open(begin, end byte, want string) (empty bool, err error) {
	if !d.take(begin) {
		return false, d.unexpected(want)
	}
	if err := d.enter(); err != nil {
		return false, err
	}
	if d.take(end) {
		d.leave()
		return true, nil
	}
	return false, nil
}

// more takes the comma after an element, or the end of what was opened.
func (d *decoder) more(end byte) (bool, error) {
	switch d.peek() {
	case ',':
		d.pos++
		return true, nil
	case end:
		d.pos++
		d.leave()
		return false, nil
	case 0:
		return false, malformed("unexpected end")
	}
	return false, malformed("expected a comma or the end of the " + containerName(end))
}

func containerName(end byte) string {
	if end == ']' {
		return "array"
	}
	return "object"
}

// key reads the name of a member and the colon after it. What it returns may share memory with the input.
func (d *decoder) key() (string, error) {
	if d.peek() != '"' {
		return "", malformed("expected the name of a member")
	}
	name, _, err := d.text()
	if err != nil {
		return "", err
	}
	if !d.take(':') {
		return "", malformed("expected a colon")
	}
	return name, nil
}

// fits tells whether what is left of the input is long enough for a value, before memory is set aside for it.
func (d *decoder) fits(least int) error {
	if len(d.in)-d.pos < least {
		return malformed("unexpected end")
	}
	return nil
}

// least is the length of the shortest JSON that the plan can read. It matters for arrays, whose memory does
// not grow with what is read.
func least(p plan) int {
	switch p := p.(type) {
	case *arrayPlan:
		return p.length*(least(p.element)+1) + 1
	case *structPlan:
		return len("{}")
	}
	return 1
}
