package inspect

import (
	"cmp"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// literal is the value of a condition.
type literal struct {
	text   string
	quoted bool
}

// String returns the value as it is written in a filter.
func (l literal) String() string {
	if l.quoted {
		return strconv.Quote(l.text)
	}
	return l.text
}

// holdsOf reports whether the condition holds of any of the values, or of all where its operator is an opposite. Whatever
// the operator, it does not hold where one of them may not be shown: an answer would tell something of it.
func (c condition) holdsOf(values []envelope.Node) bool {
	found, opposite := false, c.operator == notEqual || c.operator == containsNot
	for _, value := range values {
		if value.Kind == envelope.Hidden || value.Kind == envelope.Opaque {
			return false
		}
		found = found || c.fits(value)
	}
	return len(values) > 0 && found != opposite
}

// fits reports whether a value is what the operator, or the one that it is the opposite of, asks for.
func (c condition) fits(value envelope.Node) bool {
	switch c.operator {
	case equal, notEqual:
		return c.value.isEqual(value)
	case contains, containsNot:
		isText := value.Kind == envelope.String || value.Kind == envelope.Number || value.Kind == envelope.Bool
		return isText && strings.Contains(strings.ToLower(value.Text), strings.ToLower(c.value.text))
	}
	order, ok := c.value.compare(value)
	return ok && inOrder(order, c.operator)
}

// inOrder reports whether an operator accepts how a value compares with the filter's.
func inOrder(order int, o operator) bool {
	switch o {
	case less:
		return order < 0
	case lessOrEqual:
		return order <= 0
	case greater:
		return order > 0
	}
	return order >= 0
}

func (l literal) isEqual(value envelope.Node) bool {
	switch {
	case value.Kind == envelope.String:
		return value.Text == l.text
	case l.quoted:
		return false
	case value.Kind == envelope.Number:
		order, ok := compareNumbers(value.Text, l.text)
		return ok && order == 0 || value.Text == l.text
	case value.Kind == envelope.Bool:
		return value.Text == l.text
	}
	return value.Kind == envelope.Null && l.text == "null"
}

// compare says how a value compares with l, where both are numbers or both are times.
func (l literal) compare(value envelope.Node) (order int, ok bool) {
	if value.Kind != envelope.Number && value.Kind != envelope.String {
		return 0, false
	}
	if order, ok := compareNumbers(value.Text, l.text); ok {
		return order, true
	}
	mine, ok := timeOf(l.text)
	if !ok {
		return 0, false
	}
	other, ok := timeOf(value.Text)
	return other.Compare(mine), ok
}

// precision is enough for every integer of 64 bits and every float64, with room for big ones.
const precision = 512

func compareNumbers(a, b string) (order int, ok bool) {
	if x, err := strconv.ParseInt(a, 10, 64); err == nil {
		if y, err := strconv.ParseInt(b, 10, 64); err == nil {
			return cmp.Compare(x, y), true
		}
	}
	x, isNumber := number(a)
	y, isOther := number(b)
	if !isNumber || !isOther {
		return 0, false
	}
	return x.Cmp(y), true
}

// number reads JSON's numbers, but no longer ones than anybody compares.
func number(text string) (*big.Float, bool) {
	digits := strings.TrimPrefix(text, "-")
	exponent := digits[strings.IndexAny(digits, "eE")+1:]
	if len(text) > precision || digits == "" || digits[0] < '0' || digits[0] > '9' || exponent != digits && len(exponent) > 5 {
		return nil, false
	}
	n, _, err := big.ParseFloat(text, 10, precision, big.ToNearestEven)
	return n, err == nil
}

func timeOf(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
