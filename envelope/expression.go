package envelope

import (
	"iter"
	"reflect"
	"strconv"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// expressionKind is what a type expression begins with.
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

// parts yields the expression and all expressions in it: of a map, the key's before the element's.
func (x *expression) parts() iter.Seq[*expression] {
	return func(yield func(*expression) bool) {
		for ; x != nil; x = x.element {
			if !yield(x) || x.key != nil && !yield(x.key) {
				return
			}
		}
	}
}

// hasArrayLongerThan reports whether any array, with the lengths of arrays of arrays multiplied, has more elements than
// the given number.
func (x *expression) hasArrayLongerThan(elements int) bool {
	for part := range x.parts() {
		if part.isArrayLongerThan(elements) {
			return true
		}
	}
	return false
}

func (x *expression) isArrayLongerThan(elements int) bool {
	for product := 1; x.kind == arrayOf; x = x.element {
		if x.length > elements/product {
			return true
		}
		product *= max(x.length, 1)
	}
	return false
}

// An expressionParser reads a type expression from front to back.
type expressionParser struct {
	rest   string
	depth  int
	limits *Limits
}

func parseExpression(text string, l *Limits) (*expression, error) {
	if len(text) > l.MaxTypeLength {
		return nil, faults.Limited("MaxTypeLength", l.MaxTypeLength)
	}
	p := &expressionParser{rest: text, limits: l}
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	if p.rest != "" {
		return nil, malformedExpression()
	}
	return x, nil
}

func malformedExpression() error { return faults.Malformed("envelope has a malformed type expression") }

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
	if p.depth > p.limits.MaxTypeDepth {
		return nil, faults.Limited("MaxTypeDepth", p.limits.MaxTypeDepth)
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

// checkNamed refuses defined types that are neither registered nor built in: by themselves they have no name.
func (s *typeSet) checkNamed(t reflect.Type) error {
	_, isBuiltin := builtinByType[t]
	_, isRegistered := s.byType[t]
	if t.Name() == "" || isBuiltin || isRegistered {
		return nil
	}
	if t.Kind() == reflect.Interface && t.NumMethod() == 0 {
		return nil
	}
	return cures{s}.unregistered(t)
}

// expressionOf writes the type expression of t, in which pointers, slices, arrays and maps may be nested so deep. Named
// types that are not registered are erased to their kind.
func (s *typeSet) expressionOf(t reflect.Type, maxDepth int) (string, error) {
	w := expressionWriter{types: s, maxDepth: maxDepth}
	return w.write(t, 0)
}

// An expressionWriter writes type expressions.
type expressionWriter struct {
	types    *typeSet
	maxDepth int
}

func (w *expressionWriter) write(t reflect.Type, depth int) (string, error) {
	if isBuiltin(t) {
		return builtinByType[t].name, nil
	}
	if registered, ok := w.types.byType[t]; ok {
		return registered.name, nil
	}
	if t.Kind() == reflect.Interface {
		return w.interfaceExpression(t)
	}
	if !w.types.isByKind(t) {
		return "", cures{w.types}.unregistered(t)
	}
	if isComposite(t) {
		return w.composite(t, depth)
	}
	if t.Kind() == reflect.Struct {
		return "", cures{w.types}.unregisteredStruct(t)
	}
	if _, ok := basicPlans[t.Kind()]; ok {
		return t.Kind().String(), nil
	}
	return "", faults.Newf(ErrUnsupported, "%s values cannot be carried: define a type for it and call "+
		"envelope.MustRegister[T](registry, \"…\", %s)", t.Kind(), convertOption)
}

func (w *expressionWriter) interfaceExpression(t reflect.Type) (string, error) {
	if t.NumMethod() == 0 {
		return anyName, nil
	}
	return "", cures{w.types}.unregistered(t)
}

func (w *expressionWriter) composite(t reflect.Type, depth int) (string, error) {
	if depth >= w.maxDepth {
		return "", faults.Limited("MaxTypeDepth", w.maxDepth)
	}
	element, err := w.write(t.Elem(), depth+1)
	if err != nil {
		return "", err
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + element, nil
	case reflect.Slice:
		return "[]" + element, nil
	case reflect.Array:
		return "[" + strconv.Itoa(t.Len()) + "]" + element, nil
	}
	key, err := w.write(t.Key(), depth+1)
	return "map[" + key + "]" + element, err
}

// anyNamed reports whether is holds for any of the registered types that an expression names.
func (x *expression) anyNamed(s *typeSet, is func(reflect.Type) bool) bool {
	for part := range x.parts() {
		if registered, ok := s.byName[part.name]; ok && is(registered.goType) {
			return true
		}
	}
	return false
}

// unknownName returns the error for the first name in an expression that stands for no type, nil if there is none.
func (x *expression) unknownName(s *typeSet) error {
	for part := range x.parts() {
		if part.kind != namedType {
			continue
		}
		if _, err := s.typeNamed(part.name); err != nil {
			return err
		}
	}
	return nil
}

// leafNamed is leafOf for the type that an expression stands for.
func (s *typeSet) leafNamed(x *expression) *registration {
	for x.element != nil {
		x = x.element
	}
	return s.byName[x.name]
}
