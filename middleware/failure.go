package middleware

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// failureMark begins the last line of a failure's text, where there is one: an
// envelope of the error's value. Machinery keeps nothing of an error but its
// text.
const failureMark = "\n{\"$envelope\":"

// A TaskError is the failure of a task. If the task returned an error of a
// registered type, alone or wrapped, errors.As finds it:
//
//	var outOfStock *OutOfStock
//	if errors.As(err, &outOfStock) { … }
type TaskError struct {
	Text  string
	cause error
}

// Error returns the text of the error that the task returned.
func (e *TaskError) Error() string { return e.Text }

// Unwrap returns the error of a registered type, or nil.
func (e *TaskError) Unwrap() error { return e.cause }

// failureText returns an error's text as it travels: for one of a registered
// type with an envelope of it in a last line of its own. A text that would be
// taken for one with an envelope, or for an envelope, is protected by an
// envelope of nil.
func (m *Middleware) failureText(ctx context.Context, err error) string {
	text := err.Error()
	var value any = m.registeredError(err)
	if value == nil && !strings.Contains(text, failureMark) && !envelope.Is(text) {
		return text
	}
	packed, marshalErr := m.registry.Marshal(ctx, value)
	if marshalErr != nil {
		packed, _ = m.registry.Marshal(ctx, nil)
	}
	return text + "\n" + packed
}

// registeredError returns the first error in the tree of err that is of a
// registered type.
func (m *Middleware) registeredError(err error) error {
	if err == nil || m.registry.IsRegistered(reflect.TypeOf(err)) {
		return err
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		return m.registeredError(wrapper.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range wrapper.Unwrap() {
			if found := m.registeredError(inner); found != nil {
				return found
			}
		}
	}
	return nil
}

// readFailure makes the error that a failure's text stands for. What cannot be
// opened stays text.
func (m *Middleware) readFailure(ctx context.Context, text string) error {
	if refusal := readRefusal(text); refusal != nil {
		return &TaskError{Text: text, cause: refusal}
	}
	at := strings.LastIndex(text, failureMark)
	if at < 0 {
		return &TaskError{Text: text}
	}
	value, err := m.registry.UnmarshalAny(ctx, text[at+1:])
	if err != nil {
		return &TaskError{Text: text}
	}
	cause, _ := value.(error)
	return &TaskError{Text: text[:at], cause: cause}
}

// failed makes of an error that a task has returned one whose text can travel.
// Machinery knows tasks.ErrRetryTaskLater only by that very type.
func (m *Middleware) failed(ctx context.Context, err error) error {
	if _, later := err.(tasks.ErrRetryTaskLater); later {
		return err
	}
	text := m.failureText(ctx, err)
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}
