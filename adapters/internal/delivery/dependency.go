package delivery

import (
	"errors"
	"slices"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// backendFailures begin the errors with which Machinery's worker reports that its result backend has failed. It keeps
// nothing of the backend's error but the text.
var backendFailures = []string{
	"Set state to '",
	"Set state pending error: ",
	"Completed check for group ",
	"Triggering chord for group ",
}

// permanent are parts of the text of errors that come again however often the task is tried: of values that cannot be
// encoded, of a key that holds something else, of what is not kept any more.
var permanent = []string{"json: ", "WRONGTYPE ", "redis: nil", "encode state"}

// IsBackendFailure reports whether an error of middleware.Process says that the result backend has failed, so that any
// other task would have ended the same way. That is no fault of the task.
func IsBackendFailure(err error) bool {
	if err == nil || errors.Is(err, middleware.ErrPanicked) || errors.Is(err, middleware.ErrUnreadable) {
		return false
	}
	if errors.Is(err, middleware.ErrStopped) {
		return true
	}
	text := err.Error()
	begins := func(prefix string) bool { return strings.HasPrefix(text, prefix) }
	contains := func(part string) bool { return strings.Contains(text, part) }
	return slices.ContainsFunc(backendFailures, begins) && !slices.ContainsFunc(permanent, contains)
}
