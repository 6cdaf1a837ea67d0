package middleware

import (
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
)

// A panicError is the error of a panic. Its text holds no value; its stack is for the log alone.
type panicError struct {
	text  string
	stack string
}

// newPanicError describes what was recovered. It is called by the function that has recovered it, so that the stack is
// that of the panic.
func newPanicError(value any) *panicError {
	text := fmt.Sprintf("%v: %T", ErrPanicked, value)
	if said := panicText(value); said != "" {
		text += ": " + said
	}
	return &panicError{text, string(debug.Stack())}
}

// Error returns the type of what was recovered, and its text where that quotes no value.
func (e *panicError) Error() string { return e.text }

// Unwrap returns ErrPanicked.
func (e *panicError) Unwrap() error { return ErrPanicked }

// panicText returns the text of a value that Go's runtime or package reflect panics with, else nothing.
func panicText(value any) string {
	switch value := value.(type) {
	case runtime.Error:
		return value.Error()
	case *reflect.ValueError:
		return value.Error()
	case string:
		if strings.HasPrefix(value, "reflect: ") || strings.HasPrefix(value, "reflect.") {
			return value
		}
	}
	return ""
}
