package jsontext

import "strings"

// A cursor is a position in a text.
type cursor struct {
	in  string
	pos int
	// reread counts the bytes that were read again after a Rewind, and those read Inside another text.
	reread int
}

// Reset replaces the text, of which nothing is read yet. A Reader keeps its nesting and its budget.
func (c *cursor) Reset(in string) { c.in, c.pos, c.reread = in, 0, 0 }

// Length returns the length of the text in bytes.
func (c *cursor) Length() int { return len(c.in) }

// Work returns how many bytes were read since the last Reset, those that were read twice counted twice.
func (c *cursor) Work() int { return c.pos + c.reread }

// Mark skips white space and returns the current position.
func (c *cursor) Mark() int {
	c.Peek()
	return c.pos
}

// Since returns the text between a mark and the current position. It shares memory with the text.
func (c *cursor) Since(mark int) string { return c.in[mark:c.pos] }

// Rewind goes back to a mark.
func (c *cursor) Rewind(mark int) {
	c.reread += c.pos - mark
	c.pos = mark
}

// Peek skips white space and returns the byte that follows without taking it: 0 at the end.
func (c *cursor) Peek() byte {
	for c.pos < len(c.in) {
		b := c.in[c.pos]
		if b > ' ' || !IsSpace(b) {
			return b
		}
		c.pos++
	}
	return 0
}

// IsSpace reports whether c is white space in JSON.
func IsSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// Take takes the byte that follows if it is b, and reports whether it is.
func (c *cursor) Take(b byte) bool {
	if c.Peek() != b {
		return false
	}
	c.pos++
	return true
}

// HasPrefix reports whether the text that follows begins with prefix. It does not skip white space.
func (c *cursor) HasPrefix(prefix string) bool { return strings.HasPrefix(c.in[c.pos:], prefix) }

// Between returns the text between prefix, with which the text that follows has to begin, and the next end. It takes
// nothing and does not skip white space.
func (c *cursor) Between(prefix string, end byte) (string, bool) {
	rest, ok := strings.CutPrefix(c.in[c.pos:], prefix)
	if !ok {
		return "", false
	}
	length := strings.IndexByte(rest, end)
	if length < 0 {
		return "", false
	}
	return rest[:length], true
}

// TakePrefix takes prefix if the text that follows begins with it, and reports whether it does. It does not skip white
// space.
func (c *cursor) TakePrefix(prefix string) bool {
	if !strings.HasPrefix(c.in[c.pos:], prefix) {
		return false
	}
	c.pos += len(prefix)
	return true
}

// Fits returns ErrMalformed if fewer than size bytes of the text are left. Ask before memory is set aside for a value
// whose JSON has at least that size.
func (c *cursor) Fits(size int) error {
	if len(c.in)-c.pos < size {
		return errEnd()
	}
	return nil
}

// AtEnd skips white space and reports whether nothing is left.
func (c *cursor) AtEnd() bool { return c.Peek() == 0 && c.pos >= len(c.in) }
