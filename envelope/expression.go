package envelope

import (
	"strconv"
	"strings"
)

// expressionKind tells the forms of type expressions apart.
type expressionKind int

const (
	namedType expressionKind = iota
	pointerTo
	sliceOf
	arrayOf
	mapOf
)

// An expression is a type expression as written in envelopes: name, *T, []T, [4]T or map[K]T.
type expression struct {
	kind    expressionKind
	name    string
	length  int
	key     *expression
	element *expression
}

// String returns the expression as [Registry.Marshal] writes it.
func (x *expression) String() string {
	switch x.kind {
	case pointerTo:
		return "*" + x.element.String()
	case sliceOf:
		return "[]" + x.element.String()
	case arrayOf:
		return "[" + strconv.Itoa(x.length) + "]" + x.element.String()
	case mapOf:
		return "map[" + x.key.String() + "]" + x.element.String()
	}
	return x.name
}

// An expressionParser reads a type expression from front to back.
type expressionParser struct {
	rest     string
	depth    int
	settings *settings
}

func parseExpression(text string, s *settings) (*expression, error) {
	if len(text) > s.maxTypeLength {
		return nil, limited("MaxTypeLength", s.maxTypeLength)
	}
	p := &expressionParser{rest: text, settings: s}
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	if p.rest != "" {
		return nil, malformedExpression()
	}
	return x, nil
}

func malformedExpression() error { return malformed("envelope has a malformed type expression") }

func (p *expressionParser) take(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

func (p *expressionParser) expression() (*expression, error) {
	switch {
	case p.take("*"):
		return p.composite(&expression{kind: pointerTo})
	case p.take("[]"):
		return p.composite(&expression{kind: sliceOf})
	case p.take("["):
		length, err := p.arrayLength()
		if err != nil {
			return nil, err
		}
		return p.composite(&expression{kind: arrayOf, length: length})
	case p.take("map["):
		key, err := p.named()
		if err != nil {
			return nil, err
		}
		if !p.take("]") {
			return nil, malformedExpression()
		}
		return p.composite(&expression{kind: mapOf, key: key})
	}
	return p.named()
}

// composite reads the element of an expression.
func (p *expressionParser) composite(x *expression) (*expression, error) {
	p.depth++
	if p.depth > p.settings.maxTypeDepth {
		return nil, limited("MaxTypeDepth", p.settings.maxTypeDepth)
	}
	element, err := p.expression()
	if err != nil {
		return nil, err
	}
	x.element = element
	return x, nil
}

func (p *expressionParser) arrayLength() (int, error) {
	text, rest, ok := strings.Cut(p.rest, "]")
	length, err := strconv.Atoi(text)
	if !ok || err != nil || strconv.Itoa(length) != text || length < 0 {
		return 0, malformedExpression()
	}
	p.rest = rest
	return length, nil
}

func (p *expressionParser) named() (*expression, error) {
	size := 0
	for size < len(p.rest) && isNameByte(p.rest[size]) {
		size++
	}
	name := p.rest[:size]
	if !isName(name) {
		return nil, malformedExpression()
	}
	p.rest = p.rest[size:]
	if canonical, ok := synonyms[name]; ok {
		name = canonical
	}
	return &expression{kind: namedType, name: name}, nil
}
