package inspect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what ParseFilter reads: people write filters, and every condition costs time for each task.
const (
	maxFilterBytes = 4096
	maxConditions  = 32
)

// Examples for what could not be read.
const (
	pathExample  = "order.customer.id = 42"
	textExample  = `reason ~ "connection refused"`
	ageExample   = "age > 2h30m"
	wholeExample = "task = orders.ship and age > 2h"
)

// ParseFilter reads a filter. No text is a filter that chooses all. The error is a *FilterError.
func ParseFilter(text string) (Filter, error) {
	p := filterParser{text: text}
	if len(text) > maxFilterBytes {
		return Filter{}, p.problem(wholeExample, "is longer than %d bytes", maxFilterBytes)
	}
	if i := unreadable(text); i >= 0 {
		p.offset = i
		return Filter{}, p.problem(wholeExample, "has a character that is no text")
	}
	conditions, err := p.conditions()
	if err != nil {
		return Filter{}, err
	}
	return Filter{conditions}, nil
}

// unreadable returns where the first character is that no keyboard writes, or -1.
func unreadable(text string) int {
	for i, r := range text {
		_, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 || unicode.IsControl(r) && !unicode.IsSpace(r) {
			return i
		}
	}
	return -1
}

// filterParser reads a filter from left to right.
type filterParser struct {
	text   string
	offset int
}

func (p *filterParser) rest() string { return p.text[p.offset:] }

func (p *filterParser) problem(example, format string, values ...any) error {
	column := utf8.RuneCountInString(p.text[:p.offset]) + 1
	return &FilterError{Column: column, Problem: fmt.Sprintf(format, values...), Example: example}
}

// skipSpace moves to what is no space, and reports whether there is anything.
func (p *filterParser) skipSpace() (more bool) {
	p.offset = len(p.text) - len(strings.TrimLeftFunc(p.rest(), unicode.IsSpace))
	return p.offset < len(p.text)
}

func (p *filterParser) conditions() ([]condition, error) {
	var conditions []condition
	for p.skipSpace() {
		if len(conditions) == maxConditions {
			return nil, p.problem(wholeExample, "has more than %d conditions", maxConditions)
		}
		if len(conditions) > 0 {
			if err := p.and(); err != nil {
				return nil, err
			}
		}
		c, err := p.condition()
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, c)
	}
	return conditions, nil
}

func (p *filterParser) and() error {
	word := p.word()
	if !strings.EqualFold(word, "and") {
		return p.problem(wholeExample, "want and between two conditions")
	}
	p.offset += len(word)
	if !p.skipSpace() {
		return p.problem(wholeExample, "want a condition after and")
	}
	return nil
}

// word returns what comes before the next space.
func (p *filterParser) word() string {
	if i := strings.IndexFunc(p.rest(), unicode.IsSpace); i >= 0 {
		return p.rest()[:i]
	}
	return p.rest()
}

func (p *filterParser) condition() (c condition, err error) {
	start := p.offset
	if c.path, err = p.path(); err != nil {
		return c, err
	}
	if name := p.text[start:p.offset]; slices.Contains(fields, field(name)) {
		c.field, c.path = field(name), nil
	}
	p.skipSpace()
	if c.operator, err = p.operator(c.field); err != nil {
		return c, err
	}
	if !p.skipSpace() {
		return c, p.problem(exampleOf(c.field), "want a value after %s", c.operator)
	}
	start = p.offset
	if c.value, err = p.literal(c); err != nil {
		return c, err
	}
	if c.field == byAge {
		if c.age, err = parseAge(c.value.text); err != nil {
			p.offset = start
			return c, p.problem(ageExample, "want an age, in d, h, m and s")
		}
	}
	return c, nil
}

func exampleOf(f field) string {
	switch f {
	case inArguments:
		return pathExample
	case byAge:
		return ageExample
	case byReason:
		return textExample
	}
	return string(f) + " = " + map[field]string{byTask: "orders.ship", byType: "orders.Order", byQueue: "urgent"}[f]
}

func (p *filterParser) operator(of field) (operator, error) {
	for _, o := range operators {
		if !strings.HasPrefix(p.rest(), string(o)) {
			continue
		}
		if of != inArguments && (of == byAge) != o.isOrder() {
			return "", p.problem(exampleOf(of), "%s does not go with %s", o, of)
		}
		p.offset += len(o)
		return o, nil
	}
	return "", p.problem(exampleOf(of), "want one of = != ~ !~ < <= > >=")
}

func (p *filterParser) path() (path, error) {
	var steps path
	for {
		rest := p.rest()
		switch {
		case strings.HasPrefix(rest, "["):
			s, err := p.bracket()
			if err != nil {
				return nil, err
			}
			steps = append(steps, s)
			continue
		case len(steps) > 0 && !strings.HasPrefix(rest, "."):
			return steps, nil
		case len(steps) > 0:
			p.offset++
		}
		name := p.name()
		if name == "" {
			return nil, p.problem(pathExample, "want task, type, queue, reason, age or a path in the arguments")
		}
		steps = append(steps, pathStep{name: name})
		p.offset += len(name)
	}
}

// name returns the name that comes next, which may be empty.
func (p *filterParser) name() string {
	if i := strings.IndexFunc(p.rest(), isNoNameRune); i >= 0 {
		return p.rest()[:i]
	}
	return p.rest()
}

// bracket reads [0], [*] or ["a name"].
func (p *filterParser) bracket() (pathStep, error) {
	const example = `order.lines[0].sku = "A-1"`
	p.offset++
	s := pathStep{kind: anyOf}
	if quoted, err := strconv.QuotedPrefix(p.rest()); err == nil && quoted[0] == '"' {
		s = pathStep{}
		s.name, _ = strconv.Unquote(quoted)
		p.offset += len(quoted)
	} else if strings.HasPrefix(p.rest(), "*") {
		p.offset++
	} else {
		digits := p.name()
		index, err := strconv.ParseUint(digits, 10, 31)
		if err != nil {
			return pathStep{}, p.problem(example, `want an index, * or a "name" in brackets`)
		}
		s = pathStep{kind: indexed, index: int(index)}
		p.offset += len(digits)
	}
	if !strings.HasPrefix(p.rest(), "]") {
		return pathStep{}, p.problem(example, "want ]")
	}
	p.offset++
	return s, nil
}

// literal reads a value.
func (p *filterParser) literal(c condition) (literal, error) {
	if strings.HasPrefix(p.rest(), `"`) {
		quoted, err := strconv.QuotedPrefix(p.rest())
		if err != nil {
			return literal{}, p.problem(textExample, "want a text in double quotes, which ends")
		}
		text, _ := strconv.Unquote(quoted)
		if p.offset += len(quoted); len(p.word()) > 0 {
			return literal{}, p.problem(wholeExample, "want a space after the text")
		}
		return literal{text: text, quoted: true}, nil
	}
	word := p.word()
	if i := strings.IndexAny(word, `"=<>~!`); i == 0 || i > 0 && word[i] == '"' {
		p.offset += i
		return literal{}, p.problem(exampleOf(c.field), `want a word, or text in double quotes`)
	}
	p.offset += len(word)
	return literal{text: word}, nil
}

// parseAge reads a duration as Go writes it, which may begin with days.
func parseAge(text string) (time.Duration, error) {
	var days time.Duration
	if before, after, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(before, 10, 16)
		if err != nil {
			return 0, err
		}
		days = time.Duration(n) * 24 * time.Hour
		if text = after; text == "" {
			return days, nil
		}
	}
	rest, err := time.ParseDuration(text)
	return days + rest, err
}
