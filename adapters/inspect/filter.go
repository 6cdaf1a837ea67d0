package inspect

import (
	"fmt"
	"strings"
	"time"
)

// A Filter chooses tasks and dead letters. The zero value chooses all. It is written as conditions that all have to
// hold, joined by and:
//
//	task = orders.ship and age > 2h
//	reason ~ "connection refused" and queue != reports
//	order.customer.id = 42 and order.lines[*].sku = "A-1"
//
// A condition is what is looked at, an operator and a value:
//
//	task    name of the task                             = != ~ !~
//	type    wire names of the types in its arguments     = != ~ !~
//	queue   where it waits, or was received from         = != ~ !~
//	reason  why it is a dead letter                      = != ~ !~
//	age     since it was sent, or became a dead letter   < <= > >=, such as 90s, 2h30m or 3d
//	path    a value in its arguments                     = != ~ !~ < <= > >=
//
// ~ means "contains", in upper and lower case alike, and !~ the opposite. A path begins with the name of an argument, its
// position, such as [0], or the last part of its type's wire name: order is an argument orders.Order. After it come names
// of members, and indexes in brackets; [*] stands for any. A name in which there is more than letters, digits, _ and - is
// written ["like this"], and so is an argument called task, type, queue, reason or age. Names are found in upper and
// lower case alike.
//
// A value is a word, or text in double quotes with the escapes of Go. Quoted, it is equal only to a text; a word is so to
// a number, true, false and null too. < and > compare numbers, and times as RFC 3339 has them or days such as 2026-01-31.
//
// A condition never holds of a value that may not be shown, whatever its operator, nor of one that is not there. != and !~
// hold where none of several values fits.
type Filter struct{ conditions []condition }

// condition is one comparison.
type condition struct {
	field    field
	path     path // where field is inArguments
	operator operator
	value    literal
	age      time.Duration // where field is byAge
}

// field is what a condition looks at.
type field string

const (
	byTask      field = "task"
	byType      field = "type"
	byQueue     field = "queue"
	byReason    field = "reason"
	byAge       field = "age"
	inArguments field = ""
)

var fields = []field{byTask, byType, byQueue, byReason, byAge}

// operator is a comparison as it is written.
type operator string

const (
	equal          operator = "="
	notEqual       operator = "!="
	contains       operator = "~"
	containsNot    operator = "!~"
	less           operator = "<"
	lessOrEqual    operator = "<="
	greater        operator = ">"
	greaterOrEqual operator = ">="
)

// operators are all, those first that begin with others.
var operators = []operator{notEqual, containsNot, lessOrEqual, greaterOrEqual, equal, contains, less, greater}

// isOrder reports whether the operator compares by size.
func (o operator) isOrder() bool {
	return o == less || o == lessOrEqual || o == greater || o == greaterOrEqual
}

// IsZero reports whether the filter chooses all.
func (f Filter) IsZero() bool { return len(f.conditions) == 0 }

// String returns the filter as ParseFilter reads it.
func (f Filter) String() string {
	texts := make([]string, len(f.conditions))
	for i, c := range f.conditions {
		texts[i] = c.String()
	}
	return strings.Join(texts, " and ")
}

func (c condition) String() string {
	subject := string(c.field)
	if c.field == inArguments {
		subject = c.path.String()
	}
	return subject + " " + string(c.operator) + " " + c.value.String()
}

// A FilterError says what is wrong with the text of a filter, and where.
type FilterError struct {
	// Column is where in the text, in characters from 1.
	Column int
	// Problem is what is wrong there.
	Problem string
	// Example is a filter that can be read.
	Example string
}

// Error says where it is, what is wrong, and gives the example.
func (e *FilterError) Error() string {
	return fmt.Sprintf("filter, column %d: %s; for example: %s", e.Column, e.Problem, e.Example)
}
