package envelope

import (
	"regexp"
	"strings"
	"unicode"
)

// quoted matches what error texts show in quotes, which is most often the value.
var quoted = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)+'|`[^`]*`")

// shownCause returns the text of an error about an input in a form that can be shown, or "" if there is none. What is in
// quotes is left out. Nothing is shown of a text with a digit, or a quote that is left, or a word that the input has, or
// of an input in which a word could be spelled otherwise.
func shownCause(err error, input string) string {
	text := quoted.ReplaceAllString(err.Error(), "…")
	if strings.ContainsAny(text, "\"'`\n\\0123456789") || strings.ContainsRune(input, '\\') {
		return ""
	}
	input = strings.ToLower(input)
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) })
	for _, word := range words {
		if strings.Contains(input, word) {
			return ""
		}
	}
	return text
}
