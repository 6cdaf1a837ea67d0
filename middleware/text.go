package middleware

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// validText returns text with each byte that is not valid UTF-8 spelled as Go does, such as \xff: JSON would replace it
// by a character that says nothing.
func validText(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var valid strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&valid, `\x%02x`, text[0])
		} else {
			valid.WriteString(text[:size])
		}
		text = text[size:]
	}
	return valid.String()
}
