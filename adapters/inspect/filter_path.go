package inspect

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// path leads to values in the arguments of a task. Its first step chooses arguments.
type path []pathStep

// pathStep leads from a value to one or more in it.
type pathStep struct {
	kind  stepKind
	name  string // of a named step
	index int    // of an indexed step
}

type stepKind int

const (
	named stepKind = iota
	indexed
	anyOf
)

// String returns the path as it is written in a filter.
func (p path) String() string {
	var text strings.Builder
	for i, s := range p {
		switch {
		case s.kind == anyOf:
			text.WriteString("[*]")
		case s.kind == indexed:
			text.WriteString("[" + strconv.Itoa(s.index) + "]")
		case !isPlainName(s.name) || len(p) == 1 && slices.Contains(fields, field(s.name)):
			text.WriteString("[" + strconv.Quote(s.name) + "]")
		case i > 0:
			text.WriteString("." + s.name)
		default:
			text.WriteString(s.name)
		}
	}
	return text.String()
}

// isPlainName reports whether a name needs no brackets.
func isPlainName(name string) bool {
	return name != "" && strings.IndexFunc(name, isNoNameRune) < 0
}

func isNoNameRune(r rune) bool { return !isNameRune(r) }

func isNameRune(r rune) bool {
	return r == '_' || r == '-' || r == '$' || unicode.IsLetter(r) || unicode.IsDigit(r)
}
