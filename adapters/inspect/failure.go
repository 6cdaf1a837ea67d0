package inspect

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
)

// A failure is an answer that says in a sentence why there is no other.
type failure struct {
	status          int
	title, sentence string
}

func (f failure) Error() string { return f.sentence }

func notFound(sentence string) failure { return failure{http.StatusNotFound, "Not found", sentence} }

// failureOf says what an error of a source means to whoever asked for what.
func failureOf(err error, what string) failure {
	var known failure
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, ErrNotFound), errors.Is(err, deadletter.ErrNotFound):
		return notFound(fmt.Sprintf("There is no %s. It may have run, moved on or expired meanwhile.", what))
	case errors.Is(err, ErrCursor):
		return notFound("This part of the list is not known any more: go back to its first page.")
	case errors.Is(err, ErrRunning):
		return failure{http.StatusConflict, "It runs", "The task runs already, and cannot be removed."}
	case errors.Is(err, ErrUnsupported):
		return failure{http.StatusNotImplemented, "Not told by this broker", sentence(err)}
	case errors.Is(err, deadletter.ErrNoTask), errors.Is(err, deadletter.ErrUnknownQueue), errors.Is(err, deadletter.ErrRefused):
		return failure{http.StatusConflict, "Not replayed", "The letter stays: " + sentence(err)}
	}
	return failure{http.StatusBadGateway, "The broker did not do it", sentence(err)}
}

// sentence makes a sentence of an error.
func sentence(err error) string {
	text := []rune(cut(err.Error(), maxText))
	if len(text) == 0 {
		return ""
	}
	if 'a' <= text[0] && text[0] <= 'z' {
		text[0] += 'A' - 'a'
	}
	return string(text) + "."
}

// fail answers with a failure, as a page.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := failureOf(err, "such thing")
	h.render(w, r, f.status, content{template: "failure", title: f.title, data: f.sentence})
}
