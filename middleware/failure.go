package middleware

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// failureMark begins the last line of a failure's text, where there is one: an envelope of the error's value. Machinery
// keeps nothing of an error but its text.
const failureMark = "\n{\"$envelope\":"

// A TaskError is the failure of a task. Errors of registered types that the task returned, alone, wrapped or joined,
// are found by errors.As, and by errors.Is where they are equal:
//
//	var outOfStock *OutOfStock
//	if errors.As(err, &outOfStock) { … }
//
// If the middleware has refused the task, or its results, errors.Is finds why: ErrForged, ErrArguments,
// envelope.ErrTypeMismatch and so on.
type TaskError struct {
	Task  string // its name; empty in an error callback, and for a Result of a kind that is not Machinery's
	UUID  string // of the task; empty where Task is
	Text  string // of the error that the task returned
	cause error
}

// Error returns the text of the error that the task returned.
func (e *TaskError) Error() string { return e.Text }

// Unwrap returns the error of a registered type, several of them as errors.Join does, or nil.
func (e *TaskError) Unwrap() error { return e.cause }

// asFailure makes of an error that a task has returned one whose text can travel. Machinery knows
// tasks.ErrRetryTaskLater only by that very type.
func (p *errorPacker) asFailure(ctx context.Context, task string, err error) error {
	if _, later := err.(tasks.ErrRetryTaskLater); later {
		return err
	}
	text := p.failureText(ctx, task, err)
	if text == err.Error() {
		return err
	}
	return &sentError{error: err, text: text}
}

// A sentError is an error that a task has returned, with the text as it travels. The text ends with the fields of errors
// of registered types, which are for the caller only.
type sentError struct {
	error
	text string
}

// Error returns the text as it travels.
func (e *sentError) Error() string { return e.text }

// Unwrap returns the error that the task has returned.
func (e *sentError) Unwrap() error { return e.error }

// Format writes the text of the error alone: Machinery's worker logs it by fmt, and sends it by Error.
func (e *sentError) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, validText(e.error.Error()))
}

// failureText returns an error's text as it travels: for one of registered types with an envelope of them in a last
// line of its own. A text that would be taken for one with an envelope, or for an envelope, is protected by an envelope
// of nil.
func (p *errorPacker) failureText(ctx context.Context, task string, err error) string {
	text := validText(err.Error())
	if causes := p.packCauses(ctx, task, p.registeredErrors(nil, err)); causes != "" {
		return text + "\n" + causes
	}
	if !mayBeMisread(text) {
		return text
	}
	protection, _ := p.registry.Marshal(ctx, nil)
	return text + "\n" + protection
}

// readFailure makes the error that a failure's text stands for. What cannot be opened stays text.
func (u *unpacker) readFailure(ctx context.Context, text string) *TaskError {
	if plain, reason, ok := readRefusal(text); ok {
		return &TaskError{Text: plain, cause: reason}
	}
	at := strings.LastIndex(text, failureMark)
	if at < 0 {
		return &TaskError{Text: text}
	}
	value, err := u.registry.UnmarshalAny(ctx, text[at+1:])
	if err != nil {
		return &TaskError{Text: text}
	}
	return &TaskError{Text: text[:at], cause: causeOf(value)}
}

// restoreError makes an error of an argument or result: of the envelope of one, or of nil, and of the text of a
// failure, as error callbacks get it.
func (u *unpacker) restoreError(ctx context.Context, text string) (reflect.Value, error) {
	header, err := envelope.Parse(text)
	if err == nil && header.Type != "string" {
		return u.open(ctx, text, errorType)
	}
	if err == nil {
		if text, err = u.openFailureText(ctx, text); err != nil {
			return reflect.Value{}, err
		}
	}
	return reflect.ValueOf(u.readFailure(ctx, text)), nil
}

// openFailureText returns the text of an error that is in an envelope.
func (u *unpacker) openFailureText(ctx context.Context, text string) (string, error) {
	var opened string
	if err := u.registry.Unmarshal(ctx, text, &opened); err != nil {
		return "", fmt.Errorf("text of the error: %w", err)
	}
	return opened, nil
}
