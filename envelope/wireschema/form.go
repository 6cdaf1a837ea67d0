package wireschema

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is what a form begins with.
type Kind int

// The kinds of forms.
const (
	Named   Kind = iota // a built-in or registered type, or one with an entry under "go:"
	Pointer             // null or an element
	List
	Array // a list of a fixed length
	Map
	OwnJSON // json(…)
	OwnText // text(…)
)

// A Form is a form taken apart.
type Form struct {
	Kind    Kind
	Name    string // of a named form, or the Go type in parentheses
	Length  int    // of an array
	Key     *Form  // of a map
	Element *Form  // of a pointer, list, array or map
}

// ParseForm takes a form apart. It returns ErrMalformed.
func ParseForm(text string) (Form, error) {
	switch {
	case strings.HasPrefix(text, "go:"):
		return Form{Kind: Named, Name: text}, nil
	case strings.HasPrefix(text, "*"):
		return element(Form{Kind: Pointer}, text[1:])
	case strings.HasPrefix(text, "[]"):
		return element(Form{Kind: List}, text[2:])
	case strings.HasPrefix(text, "["):
		length, rest, _ := strings.Cut(text[1:], "]")
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 {
			return Form{}, malformed(text)
		}
		return element(Form{Kind: Array, Length: n}, rest)
	case strings.HasPrefix(text, "map["):
		return parseMap(text)
	case strings.HasPrefix(text, "json(") && strings.HasSuffix(text, ")"):
		return Form{Kind: OwnJSON, Name: text[5 : len(text)-1]}, nil
	case strings.HasPrefix(text, "text(") && strings.HasSuffix(text, ")"):
		return Form{Kind: OwnText, Name: text[5 : len(text)-1]}, nil
	case text == "":
		return Form{}, malformed(text)
	}
	return Form{Kind: Named, Name: text}, nil
}

func parseMap(text string) (Form, error) {
	rest := text[len("map["):]
	end, depth := 0, 1
	for ; end < len(rest); end++ {
		switch rest[end] {
		case '[':
			depth++
		case ']':
			depth--
		}
		if depth == 0 {
			break
		}
	}
	if end == len(rest) {
		return Form{}, malformed(text)
	}
	key, err := ParseForm(rest[:end])
	if err != nil {
		return Form{}, err
	}
	return element(Form{Kind: Map, Key: &key}, rest[end+1:])
}

func element(outer Form, text string) (Form, error) {
	inner, err := ParseForm(text)
	outer.Element = &inner
	return outer, err
}

func malformed(text string) error { return fmt.Errorf("%w: form %q", ErrMalformed, text) }

// String returns the form as text.
func (f Form) String() string {
	switch f.Kind {
	case Pointer:
		return "*" + f.Element.String()
	case List:
		return "[]" + f.Element.String()
	case Array:
		return "[" + strconv.Itoa(f.Length) + "]" + f.Element.String()
	case Map:
		return "map[" + f.Key.String() + "]" + f.Element.String()
	case OwnJSON:
		return "json(" + f.Name + ")"
	case OwnText:
		return "text(" + f.Name + ")"
	}
	return f.Name
}
