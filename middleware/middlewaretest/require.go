package middlewaretest

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// RequireSent fails the test unless a task of the name was sent (see Sent) with an argument that is a T for which match
// returns true. A nil match is true of every T. The failure tells what was sent, and what came nearest.
//
//	middlewaretest.RequireSent(t, s, "orders.price", func(o Order) bool { return o.ID == "o-1" })
func RequireSent[T any](t TB, s *Server, name string, match func(T) bool) {
	t.Helper()
	if _, found := search(t, s, name, match); !found {
		t.Fatalf("%s", missing(t, s, name, match))
	}
}

// RequireNotSent fails the test where RequireSent would not. The failure tells which task it is.
func RequireNotSent[T any](t TB, s *Server, name string, match func(T) bool) {
	t.Helper()
	if task, found := search(t, s, name, match); found {
		t.Fatalf("middlewaretest: this task was sent:\n  %v\n%s", task, listSent(Sent(s)))
	}
}

// search returns the first task of the name that was sent with a fitting argument.
func search[T any](t TB, s *Server, name string, match func(T) bool) (SentTask, bool) {
	t.Helper()
	m := installed(t, s)
	for _, task := range Sent(s) {
		if task.Name != name {
			continue
		}
		for _, value := range argumentsOf[T](m, task) {
			if match == nil || match(value) {
				return task, true
			}
		}
	}
	return SentTask{}, false
}

func installed(t TB, s *Server) *middleware.Middleware {
	t.Helper()
	m, ok := middleware.Of(s.Server)
	if !ok {
		t.Fatalf("middlewaretest: the middleware is not installed: give NewServer a registry, or its Server to middleware.Install")
	}
	return m
}

// argumentsOf returns the arguments of a task that are a T.
func argumentsOf[T any](m *middleware.Middleware, task SentTask) []T {
	var values []T
	for _, arg := range task.Signature.Args {
		var value T
		if middleware.ReadArg(context.Background(), m, arg, &value) == nil {
			values = append(values, value)
		}
	}
	return values
}

// missing is what RequireSent tells of a task that was not sent.
func missing[T any](t TB, s *Server, name string, match func(T) bool) string {
	t.Helper()
	sent := Sent(s)
	var b strings.Builder
	fmt.Fprintf(&b, "middlewaretest: no task %q was sent with such a %s\n", name, reflect.TypeFor[T]())
	b.WriteString(listSent(sent))
	if near := nearest(installed(t, s), sent, name, match); near != "" {
		fmt.Fprintf(&b, "nearest: %s\n", near)
	}
	return b.String()
}

// nearest says which task came nearest to what was wanted, and why it is not that: one of the name before one of
// another name with a fitting argument, before one whose name is nearly the same.
func nearest[T any](m *middleware.Middleware, sent []SentTask, name string, match func(T) bool) string {
	var ofName, ofValue, alike string
	for i, task := range sent {
		values := argumentsOf[T](m, task)
		switch {
		case task.Name == name && len(values) > 0:
			return fmt.Sprintf("%d, but the function returns false for %s", i+1, format(values[0]))
		case task.Name == name:
			ofName = fmt.Sprintf("%d, but %s", i+1, misfit[T](m, task))
		case match != nil && len(values) > 0 && match(values[0]):
			ofValue = fmt.Sprintf("%d, with such an argument, but its name is %q", i+1, task.Name)
		case distance(task.Name, name) <= len(name)/3:
			alike = fmt.Sprintf("%d, but its name is %q", i+1, task.Name)
		}
	}
	for _, near := range []string{ofName, ofValue, alike} {
		if near != "" {
			return near
		}
	}
	return ""
}

// misfit says why no argument of a task is a T.
func misfit[T any](m *middleware.Middleware, task SentTask) string {
	if len(task.Signature.Args) == 0 {
		return "it has no arguments"
	}
	var value T
	err := middleware.ReadArg(context.Background(), m, task.Signature.Args[0], &value)
	return fmt.Sprintf("no argument of it is such a %s: %v", reflect.TypeFor[T](), err)
}

// maxListed is how many tasks a failure lists.
const maxListed = 50

// listSent lists the last of the tasks that were sent.
func listSent(sent []SentTask) string {
	if len(sent) == 0 {
		return "nothing was sent\n"
	}
	var b strings.Builder
	b.WriteString("sent:\n")
	first := max(len(sent)-maxListed, 0)
	if first > 0 {
		fmt.Fprintf(&b, "  … %d before these\n", first)
	}
	for i, task := range sent[first:] {
		fmt.Fprintf(&b, "  %d. %v\n", first+i+1, task)
	}
	return b.String()
}

// distance is how many characters must be added, removed or replaced to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
